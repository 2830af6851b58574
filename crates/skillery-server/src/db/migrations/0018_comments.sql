-- What people say of skills. A comment without a parent begins a thread; others answer it. What its author takes back and what a
-- moderator hides stays here, and is shown to moderators; a hidden one to its author, too.
CREATE TABLE comments (
    id TEXT PRIMARY KEY,
    skill TEXT NOT NULL REFERENCES skills (key),
    parent TEXT REFERENCES comments (id),
    user_id TEXT NOT NULL REFERENCES users (id),
    text TEXT NOT NULL,
    at BIGINT NOT NULL,
    edited_at BIGINT,
    deleted_at BIGINT,
    hidden_at BIGINT,
    hidden_by TEXT REFERENCES users (id),
    hidden_reason TEXT
);
CREATE INDEX comments_by_skill ON comments (skill, parent, at);
CREATE INDEX comments_by_parent ON comments (parent, at);
CREATE INDEX comments_by_user ON comments (user_id, at);

-- What a comment said before it was edited, for moderators.
CREATE TABLE comment_texts (
    comment TEXT NOT NULL REFERENCES comments (id),
    until BIGINT NOT NULL,
    text TEXT NOT NULL
);
CREATE INDEX comment_texts_by_comment ON comment_texts (comment, until);

-- A review can be hidden, and its skill's publishers answer it once.
ALTER TABLE ratings ADD COLUMN hidden_at BIGINT;
ALTER TABLE ratings ADD COLUMN hidden_by TEXT;
ALTER TABLE ratings ADD COLUMN hidden_reason TEXT;
CREATE TABLE review_answers (
    skill TEXT NOT NULL REFERENCES skills (key),
    user_id TEXT NOT NULL REFERENCES users (id),
    author TEXT NOT NULL REFERENCES users (id),
    text TEXT NOT NULL,
    at BIGINT NOT NULL,
    edited_at BIGINT,
    PRIMARY KEY (skill, user_id)
);

-- What was reported: a comment, the review of a user, or a skill, where `target` is empty. Once by each user.
CREATE TABLE abuse_reports (
    id TEXT PRIMARY KEY,
    skill TEXT NOT NULL REFERENCES skills (key),
    namespace TEXT NOT NULL,
    kind TEXT NOT NULL,
    target TEXT NOT NULL,
    user_id TEXT NOT NULL REFERENCES users (id),
    reason TEXT NOT NULL,
    text TEXT NOT NULL,
    at BIGINT NOT NULL,
    resolved_at BIGINT,
    resolved_by TEXT REFERENCES users (id),
    resolution TEXT,
    UNIQUE (skill, kind, target, user_id)
);
CREATE INDEX abuse_reports_open ON abuse_reports (at) WHERE resolved_at IS NULL;
CREATE INDEX abuse_reports_by_user ON abuse_reports (user_id, at);
