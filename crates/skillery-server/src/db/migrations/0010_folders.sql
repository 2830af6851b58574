-- What a version is, and the skills that it needs: a JSON object of ids and what versions of them will do.
ALTER TABLE versions ADD COLUMN kind TEXT NOT NULL DEFAULT 'function';
ALTER TABLE versions ADD COLUMN dependencies TEXT NOT NULL DEFAULT '{}';
