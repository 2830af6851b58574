-- Builds that may publish into a namespace (a key) and everything below it. `repository` is the subject of a generic one.
CREATE TABLE publishers (
    id TEXT PRIMARY KEY,
    namespace TEXT NOT NULL,
    org TEXT NOT NULL REFERENCES orgs (key),
    user_id TEXT NOT NULL REFERENCES users (id),
    issuer TEXT NOT NULL,
    kind TEXT NOT NULL,
    repository TEXT NOT NULL,
    owner_id TEXT,
    workflow TEXT,
    environment TEXT,
    reference TEXT,
    claims TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    removed_at BIGINT
);
CREATE INDEX publishers_by_namespace ON publishers (namespace);
CREATE INDEX publishers_by_repository ON publishers (issuer, repository);

-- The build that a token was made for.
ALTER TABLE tokens ADD COLUMN via TEXT;

-- SHA-256 of what tells each identity token that was used from all others, until nobody can take it any more.
CREATE TABLE used_id_tokens (
    digest TEXT PRIMARY KEY,
    until BIGINT NOT NULL
);
CREATE INDEX used_id_tokens_by_end ON used_id_tokens (until);

-- Whose account at a provider of identities is whose here.
CREATE TABLE linked_accounts (
    issuer TEXT NOT NULL,
    subject TEXT NOT NULL,
    user_id TEXT NOT NULL REFERENCES users (id),
    at BIGINT NOT NULL,
    PRIMARY KEY (issuer, subject)
);
CREATE UNIQUE INDEX linked_accounts_by_user ON linked_accounts (user_id, issuer);

-- Signings in that have begun. `handle` is the SHA-256 of what the caller asks by, `device_code` is encrypted.
CREATE TABLE pending_logins (
    handle TEXT PRIMARY KEY,
    device_code TEXT NOT NULL,
    scopes TEXT NOT NULL,
    pause BIGINT NOT NULL,
    next_poll BIGINT NOT NULL,
    expires_at BIGINT NOT NULL
);
CREATE INDEX pending_logins_by_end ON pending_logins (expires_at);
