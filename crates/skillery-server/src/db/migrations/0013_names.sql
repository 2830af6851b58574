-- Names in the order of their bytes, in which those that begin alike stand together, whatever the database's own order is.
-- Numbers come second, so that nothing is sorted for a page.
DROP INDEX skills_by_name;
CREATE INDEX skills_by_name ON skills (substr(key, length(namespace) + 2) COLLATE "C", number);
