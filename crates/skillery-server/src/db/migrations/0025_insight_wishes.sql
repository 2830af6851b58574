-- What namespaces want told of how their skills and those below are used: figures about fewer than `k` users are withheld, and
-- since `unlisted_at` they count on no leaderboard. `log_index` is the entry that says so.
CREATE TABLE namespace_insight (
    namespace TEXT PRIMARY KEY,
    org TEXT NOT NULL REFERENCES orgs (key),
    k BIGINT,
    unlisted_at BIGINT,
    log_index BIGINT NOT NULL
);
CREATE INDEX namespace_insight_by_org ON namespace_insight (org);

-- Since when a user is on no leaderboard.
ALTER TABLE users ADD COLUMN unlisted_at BIGINT;
