-- How much somebody has said within a minute: comments, changes of them, answers and reports.
CREATE TABLE said (
    user_id TEXT PRIMARY KEY REFERENCES users (id),
    since BIGINT NOT NULL,
    times BIGINT NOT NULL
);

-- 1 where an admin of the registry has hidden it: nobody else shows it again.
ALTER TABLE comments ADD COLUMN hidden_by_registry BIGINT NOT NULL DEFAULT 0;

-- Who wrote what was reported, what it said then, and 1 where admins of the registry alone decide about it: it is about a whole
-- skill, about what a member of its org wrote, or somebody was not content with what a namespace did.
ALTER TABLE abuse_reports ADD COLUMN accused TEXT REFERENCES users (id);
ALTER TABLE abuse_reports ADD COLUMN said TEXT;
ALTER TABLE abuse_reports ADD COLUMN for_registry BIGINT NOT NULL DEFAULT 0;
UPDATE abuse_reports SET accused = target WHERE kind = 'review';
UPDATE abuse_reports SET accused = (SELECT c.user_id FROM comments c WHERE c.id = abuse_reports.target) WHERE kind = 'comment';
UPDATE abuse_reports SET for_registry = 1 WHERE accused IS NULL
    OR EXISTS (SELECT 1 FROM users u WHERE u.id = abuse_reports.accused AND u.site_admin = 1)
    OR EXISTS (SELECT 1 FROM members m JOIN skills s ON s.org = m.org
        WHERE s.key = abuse_reports.skill AND m.user_id = abuse_reports.accused);

-- What an author of a skill answers a review: one answer for each.
CREATE TABLE review_answers (
    skill TEXT NOT NULL REFERENCES skills (key),
    user_id TEXT NOT NULL REFERENCES users (id),
    author TEXT NOT NULL REFERENCES users (id),
    text TEXT NOT NULL,
    salt TEXT NOT NULL,
    at BIGINT NOT NULL,
    PRIMARY KEY (skill, user_id)
);

-- Reviews whose text a moderator has hidden, and what it was then. A review that is written anew stays hidden.
CREATE TABLE hidden_reviews (
    skill TEXT NOT NULL REFERENCES skills (key),
    user_id TEXT NOT NULL REFERENCES users (id),
    at BIGINT NOT NULL,
    hidden_by TEXT NOT NULL REFERENCES users (id),
    by_registry BIGINT NOT NULL,
    reason TEXT NOT NULL,
    text TEXT NOT NULL,
    PRIMARY KEY (skill, user_id)
);
