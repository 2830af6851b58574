-- Why policies let versions pass, and not only which: what the entries say that published them, of which `passed` is read.
UPDATE gates SET passed = COALESCE((
    SELECT log.body FROM log JOIN versions ON versions.log_position = log.idx
    WHERE versions.skill = gates.skill AND versions.version = gates.version
), '') WHERE passed <> '';

-- The stages that an approval was given for, as JSON.
ALTER TABLE decisions ADD COLUMN stage_marks TEXT;

-- Signed reviews by the entries that have them: who approves again takes no signature back.
CREATE TABLE signed_reviews (
    skill TEXT NOT NULL REFERENCES skills (key),
    version TEXT NOT NULL,
    log_index BIGINT NOT NULL,
    signing_key TEXT NOT NULL,
    statement TEXT NOT NULL,
    signature TEXT NOT NULL,
    PRIMARY KEY (skill, version, log_index)
);
INSERT INTO signed_reviews (skill, version, log_index, signing_key, statement, signature)
    SELECT skill, version, log_index, signing_key, statement, signature FROM decisions
    WHERE signing_key IS NOT NULL AND statement IS NOT NULL AND signature IS NOT NULL;

-- The log entry by which a publisher is trusted.
ALTER TABLE publishers ADD COLUMN log_index BIGINT NOT NULL DEFAULT 0;
UPDATE publishers SET log_index = COALESCE((
    SELECT MAX(log.idx) FROM log
    WHERE log.kind = 'publisher.trusted' AND log.body LIKE '%"publisher":"' || publishers.id || '"%'
), 0);
CREATE INDEX publishers_by_user ON publishers (user_id);

-- Changes of policies by the key of their namespace: what stands in the entry behind `{"actor":"…","kind":"…","namespace":"`.
CREATE INDEX log_policies_by_place ON log (
    (REPLACE(REPLACE(SUBSTR(body, 36 + LENGTH(actor) + LENGTH(kind), LENGTH(SUBSTR(body, 36 + LENGTH(actor) + LENGTH(kind)))
        - LENGTH(LTRIM(SUBSTR(body, 36 + LENGTH(actor) + LENGTH(kind)), 'abcdefghijklmnopqrstuvwxyz0123456789-_./'))), '_', '-'), '.', '-')),
    idx
) WHERE kind IN ('policy.set', 'policy.removed');
