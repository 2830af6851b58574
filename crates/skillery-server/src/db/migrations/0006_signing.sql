-- The log entry by which a member has the role.
ALTER TABLE members ADD COLUMN log_index BIGINT NOT NULL DEFAULT 0;
UPDATE members SET log_index = COALESCE((
    SELECT MAX(log.idx) FROM log
    WHERE log.kind = 'member.set' AND log.body LIKE '%"user":"' || members.user_id || '"%'
    AND REPLACE(REPLACE(log.body, '_', '-'), '.', '-') LIKE '%"namespace":"' || members.namespace || '"%'
), 0);

-- Every role that anybody has had, and when: to judge what was signed then.
CREATE TABLE memberships (
    namespace TEXT NOT NULL,
    user_id TEXT NOT NULL REFERENCES users (id),
    org TEXT NOT NULL REFERENCES orgs (key),
    role TEXT NOT NULL,
    log_index BIGINT NOT NULL,
    since BIGINT NOT NULL,
    until BIGINT,
    PRIMARY KEY (namespace, user_id, log_index)
);
CREATE INDEX memberships_by_org ON memberships (org);
INSERT INTO memberships (namespace, user_id, org, role, log_index, since)
    SELECT namespace, user_id, org, role, log_index, COALESCE((SELECT at FROM log WHERE idx = members.log_index), 0)
    FROM members;

-- Keys that people sign with, and keys of orgs that certify them: one or the other has it.
CREATE TABLE signing_keys (
    fingerprint TEXT PRIMARY KEY,
    user_id TEXT REFERENCES users (id),
    org TEXT REFERENCES orgs (key),
    public_key TEXT NOT NULL,
    label TEXT NOT NULL,
    enrolled_at BIGINT NOT NULL,
    log_index BIGINT NOT NULL,
    revoked_at BIGINT,
    CHECK ((user_id IS NULL) <> (org IS NULL))
);
CREATE INDEX signing_keys_by_user ON signing_keys (user_id);
CREATE INDEX signing_keys_by_org ON signing_keys (org);

-- What was signed of a version: one statement, and any number of signatures over it.
CREATE TABLE statements (
    skill TEXT NOT NULL REFERENCES skills (key),
    version TEXT NOT NULL,
    digest TEXT NOT NULL,
    body TEXT NOT NULL,
    PRIMARY KEY (skill, version)
);
CREATE TABLE signatures (
    skill TEXT NOT NULL REFERENCES skills (key),
    version TEXT NOT NULL,
    digest TEXT NOT NULL,
    kind TEXT NOT NULL,
    key TEXT NOT NULL REFERENCES signing_keys (fingerprint),
    signer TEXT NOT NULL REFERENCES users (id),
    at BIGINT NOT NULL,
    log_index BIGINT NOT NULL,
    body TEXT NOT NULL,
    PRIMARY KEY (skill, version, digest)
);
