-- What namespaces demand of versions that are published in them and below.
CREATE TABLE policies (
    namespace TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    org TEXT NOT NULL REFERENCES orgs (key),
    approvals BIGINT NOT NULL,
    role TEXT NOT NULL,
    signed BIGINT NOT NULL,
    set_at BIGINT NOT NULL,
    log_index BIGINT NOT NULL
);

-- The last decision of each reviewer about each version. The log has them all.
CREATE TABLE decisions (
    skill TEXT NOT NULL REFERENCES skills (key),
    version TEXT NOT NULL,
    user_id TEXT NOT NULL REFERENCES users (id),
    decision TEXT NOT NULL,
    comment TEXT NOT NULL,
    at BIGINT NOT NULL,
    log_index BIGINT NOT NULL,
    -- The role by which it was decided, and the log entry that gave it.
    role TEXT NOT NULL,
    member BIGINT NOT NULL,
    PRIMARY KEY (skill, version, user_id)
);

-- What waits is little, and asked for often.
CREATE INDEX versions_pending ON versions (created_at, skill) WHERE status = 'pending';
