-- Skills of orgs are counted by who sees them without reading the skills.
CREATE INDEX skills_by_place ON skills (org, namespace, visibility, latest);
DROP INDEX skills_by_org;
