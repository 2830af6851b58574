-- The worst that a strict look finds in a version: note, warning, error. NULL where nothing is found, or nobody has looked.
ALTER TABLE versions ADD COLUMN findings TEXT;
