-- What a report said before it was made anew: about what was written since, or as the reporter was not content. What was done about
-- it then stands here too, so that nobody takes it for a decision about something else.
CREATE TABLE former_reports (
    report TEXT NOT NULL REFERENCES abuse_reports (id),
    reason TEXT NOT NULL,
    text TEXT NOT NULL,
    at BIGINT NOT NULL,
    accused TEXT REFERENCES users (id),
    said TEXT,
    resolved_at BIGINT,
    resolved_by TEXT REFERENCES users (id),
    resolution TEXT
);
CREATE INDEX former_reports_by_report ON former_reports (report, at);

-- What was resolved last comes first.
CREATE INDEX abuse_reports_resolved ON abuse_reports (resolved_at) WHERE resolved_at IS NOT NULL;
