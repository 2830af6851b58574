-- What is said about versions while they are reviewed. A thread has the id of its first comment; where it stands, and whether
-- it is resolved, is said there alone. What is hidden stays.
CREATE TABLE review_comments (
    id TEXT PRIMARY KEY,
    skill TEXT NOT NULL REFERENCES skills (key),
    version TEXT NOT NULL,
    thread TEXT NOT NULL,
    -- How many comments the version had before it.
    number BIGINT NOT NULL,
    user_id TEXT NOT NULL REFERENCES users (id),
    text TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    -- The file and the line that it is about. With `against`, those of that older version.
    path TEXT,
    line BIGINT,
    against TEXT,
    resolved_at BIGINT,
    resolved_by TEXT REFERENCES users (id),
    hidden_at BIGINT,
    hidden_by TEXT REFERENCES users (id)
);
CREATE INDEX review_comments_by_thread ON review_comments (skill, version, thread);
CREATE INDEX review_comments_of_thread ON review_comments (thread, number);

-- What comments said before they were changed.
CREATE TABLE review_edits (
    comment TEXT NOT NULL REFERENCES review_comments (id),
    number BIGINT NOT NULL,
    text TEXT NOT NULL,
    until BIGINT NOT NULL,
    PRIMARY KEY (comment, number)
);

-- What changed with a version, in the words of whoever published it.
CREATE TABLE changelogs (
    skill TEXT NOT NULL REFERENCES skills (key),
    version TEXT NOT NULL,
    text TEXT NOT NULL,
    user_id TEXT NOT NULL REFERENCES users (id),
    at BIGINT NOT NULL,
    PRIMARY KEY (skill, version)
);
