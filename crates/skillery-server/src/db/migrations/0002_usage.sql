-- Runs of versions where they are installed, as users told of them, by day (days since 1970 UTC). `timed` is how many of
-- them `latency_ms` is the sum of.
CREATE TABLE usage_days (
    skill TEXT NOT NULL REFERENCES skills (key),
    version TEXT NOT NULL,
    day BIGINT NOT NULL,
    runs BIGINT NOT NULL,
    succeeded BIGINT NOT NULL,
    failed BIGINT NOT NULL,
    timed BIGINT NOT NULL,
    latency_ms BIGINT NOT NULL,
    PRIMARY KEY (skill, version, day)
);

-- Reports that were counted, so that one that is sent again counts once.
CREATE TABLE usage_batches (
    user_id TEXT NOT NULL REFERENCES users (id),
    batch TEXT NOT NULL,
    day BIGINT NOT NULL,
    PRIMARY KEY (user_id, batch)
);
CREATE INDEX usage_batches_by_day ON usage_batches (day);
