-- What a function needs was not looked for before dependencies existed: nothing is then told of it, which is another thing than
-- that it needs nothing. Whoever installs such a version reads it in the code.
ALTER TABLE versions ADD COLUMN needs TEXT;
UPDATE versions SET needs = dependencies WHERE kind <> 'function' OR dependencies <> '{}';
ALTER TABLE versions DROP COLUMN dependencies;
ALTER TABLE versions RENAME COLUMN needs TO dependencies;
