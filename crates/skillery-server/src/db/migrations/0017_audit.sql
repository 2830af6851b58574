-- Who did what, when and from where: a row for each entry of the log, and one for what was refused within a minute to the
-- same caller for the same reason. Unlike the log it is private, and what was refused is forgotten after a while. `id` is
-- the order of what happened; `position` rises whenever a row is new or counts more, and is what streams follow.
CREATE TABLE audit (
    id BIGINT PRIMARY KEY,
    position BIGINT NOT NULL UNIQUE,
    at BIGINT NOT NULL,
    last_at BIGINT NOT NULL,
    times BIGINT NOT NULL,
    outcome TEXT NOT NULL,
    action TEXT NOT NULL,
    log_index BIGINT UNIQUE,
    user_id TEXT,
    token TEXT,
    via TEXT,
    address TEXT,
    agent TEXT,
    request TEXT,
    org TEXT,
    namespace TEXT,
    skill TEXT,
    version TEXT,
    affected TEXT,
    subject TEXT,
    code TEXT
);
CREATE INDEX audit_by_time ON audit (at, id);
CREATE INDEX audit_by_org ON audit (org, id);
CREATE INDEX audit_by_user ON audit (user_id, id);
CREATE INDEX audit_by_skill ON audit (skill, id);
-- What was refused, for forgetting it.
CREATE INDEX audit_denied ON audit (last_at) WHERE outcome = 'denied';

-- The highest position, and how many entries of the log have a row without one missing.
CREATE TABLE audit_head (
    id BIGINT PRIMARY KEY CHECK (id = 1),
    position BIGINT NOT NULL,
    entries BIGINT NOT NULL
);
INSERT INTO audit_head (id, position, entries) VALUES (1, 0, 0);

-- How far each stream is, and which server sends for it until when.
CREATE TABLE audit_streams (
    name TEXT PRIMARY KEY,
    position BIGINT NOT NULL,
    holder TEXT NOT NULL,
    held_until BIGINT NOT NULL
);
