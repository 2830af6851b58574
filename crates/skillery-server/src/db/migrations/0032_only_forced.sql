-- Whether a version was handed out by force alone: never before, and nobody has approved it since.
ALTER TABLE gates ADD COLUMN only_forced BIGINT NOT NULL DEFAULT 0;
UPDATE gates SET only_forced = 1 WHERE forced_by IS NOT NULL
    AND NOT EXISTS (SELECT 1 FROM log WHERE log.skill = gates.skill AND log.kind = 'version.held'
        AND log.idx < gates.forced_index AND log.body LIKE '%"version":"' || gates.version || '"%');

-- What is handed out and wants approvals, what was decided last, and whose versions there are.
CREATE INDEX gates_wanting ON gates (skill, version) WHERE due_at IS NOT NULL OR forced_by IS NOT NULL;
CREATE INDEX decisions_last ON decisions (skill, version, at);
CREATE INDEX versions_by_publisher ON versions (publisher, skill);
