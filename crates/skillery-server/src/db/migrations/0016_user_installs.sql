-- Who has installed what: downloads with content by signed-in users, of each version.
CREATE TABLE user_installs (
    skill TEXT NOT NULL REFERENCES skills (key),
    version TEXT NOT NULL,
    user_id TEXT NOT NULL REFERENCES users (id),
    downloads BIGINT NOT NULL,
    first_at BIGINT NOT NULL,
    last_at BIGINT NOT NULL,
    PRIMARY KEY (skill, version, user_id)
);
CREATE INDEX user_installs_by_user ON user_installs (user_id, skill);
