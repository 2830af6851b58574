-- What a version is, and the skills that it needs: a JSON object of ids and what versions of them will do. Nothing is told of
-- what was published before, or is by a program that does not know of it, which is another thing than that it needs nothing:
-- whoever installs such a version reads it in the code.
ALTER TABLE versions ADD COLUMN kind TEXT NOT NULL DEFAULT 'function';
ALTER TABLE versions ADD COLUMN dependencies TEXT;
