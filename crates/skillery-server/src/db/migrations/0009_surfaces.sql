-- The skills of one namespace, in order.
CREATE INDEX skills_by_namespace ON skills (namespace, key);
