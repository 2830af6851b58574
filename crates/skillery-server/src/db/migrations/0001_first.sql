-- Times are microseconds since 1970 UTC, ratings are tenths, lists are JSON arrays. A `key` is an id with `_` and `.`
-- folded to `-`: unique, so that two ids cannot differ by these alone.

CREATE TABLE log_head (
    id BIGINT PRIMARY KEY CHECK (id = 1),
    size BIGINT NOT NULL,
    at BIGINT NOT NULL
);
INSERT INTO log_head (id, size, at) VALUES (1, 0, 0);

CREATE TABLE log (
    idx BIGINT PRIMARY KEY,
    at BIGINT NOT NULL,
    kind TEXT NOT NULL,
    actor TEXT,
    skill TEXT,
    body TEXT NOT NULL
);

CREATE TABLE settings (
    name TEXT PRIMARY KEY,
    value TEXT NOT NULL
);

CREATE TABLE users (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    key TEXT NOT NULL UNIQUE,
    site_admin BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    disabled_at BIGINT
);

CREATE TABLE tokens (
    id TEXT PRIMARY KEY,
    hash TEXT NOT NULL UNIQUE,
    user_id TEXT NOT NULL REFERENCES users (id),
    label TEXT NOT NULL,
    scopes TEXT NOT NULL,
    namespaces TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT,
    last_used_at BIGINT,
    revoked_at BIGINT
);
CREATE INDEX tokens_by_user ON tokens (user_id, created_at);

CREATE TABLE orgs (
    key TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    signing_secret TEXT
);

-- A role in `namespace` (a key) and everything below it.
CREATE TABLE members (
    namespace TEXT NOT NULL,
    user_id TEXT NOT NULL REFERENCES users (id),
    org TEXT NOT NULL REFERENCES orgs (key),
    role TEXT NOT NULL,
    PRIMARY KEY (namespace, user_id)
);
CREATE INDEX members_by_user ON members (user_id);
CREATE INDEX members_by_org ON members (org);

CREATE TABLE skills (
    key TEXT PRIMARY KEY,
    number BIGINT NOT NULL UNIQUE,
    id TEXT NOT NULL,
    namespace TEXT NOT NULL,
    org TEXT NOT NULL REFERENCES orgs (key),
    visibility TEXT NOT NULL,
    latest TEXT,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    rating_sum BIGINT NOT NULL,
    rating_count BIGINT NOT NULL,
    stars_1 BIGINT NOT NULL,
    stars_2 BIGINT NOT NULL,
    stars_3 BIGINT NOT NULL,
    stars_4 BIGINT NOT NULL,
    stars_5 BIGINT NOT NULL,
    install_count BIGINT NOT NULL,
    install_position BIGINT NOT NULL
);
CREATE INDEX skills_by_org ON skills (org);
CREATE INDEX skills_by_install_position ON skills (install_position);

CREATE TABLE versions (
    skill TEXT NOT NULL REFERENCES skills (key),
    version TEXT NOT NULL,
    status TEXT NOT NULL,
    digest TEXT NOT NULL,
    size BIGINT NOT NULL,
    code_hash TEXT NOT NULL,
    signature TEXT,
    description TEXT NOT NULL,
    tags TEXT NOT NULL,
    author TEXT NOT NULL,
    license TEXT NOT NULL,
    homepage TEXT,
    repository TEXT,
    files TEXT NOT NULL,
    words TEXT NOT NULL,
    publisher TEXT NOT NULL REFERENCES users (id),
    created_at BIGINT NOT NULL,
    reason TEXT,
    log_position BIGINT NOT NULL,
    PRIMARY KEY (skill, version)
);
CREATE INDEX versions_by_digest ON versions (digest);

CREATE TABLE ratings (
    skill TEXT NOT NULL REFERENCES skills (key),
    user_id TEXT NOT NULL REFERENCES users (id),
    tenths BIGINT NOT NULL,
    review TEXT NOT NULL,
    at BIGINT NOT NULL,
    PRIMARY KEY (skill, user_id)
);
CREATE INDEX ratings_newest ON ratings (skill, at DESC, user_id DESC);

-- Downloads by day (days since 1970 UTC).
CREATE TABLE installs (
    skill TEXT NOT NULL REFERENCES skills (key),
    version TEXT NOT NULL,
    day BIGINT NOT NULL,
    downloads BIGINT NOT NULL,
    PRIMARY KEY (skill, version, day)
);
CREATE INDEX installs_by_day ON installs (day, skill);

-- Rises with each batch of installs, so that followers see which skills' counts have changed.
CREATE TABLE install_head (
    id BIGINT PRIMARY KEY CHECK (id = 1),
    position BIGINT NOT NULL
);
INSERT INTO install_head (id, position) VALUES (1, 0);

-- Contents that are being collected. A publish of the same bytes waits until the collector is done with them.
CREATE TABLE doomed_contents (
    digest TEXT PRIMARY KEY,
    owner TEXT NOT NULL,
    at BIGINT NOT NULL
);

-- Rises with each content that was collected.
CREATE TABLE collector (
    id BIGINT PRIMARY KEY CHECK (id = 1),
    collections BIGINT NOT NULL
);
INSERT INTO collector (id, collections) VALUES (1, 0);
