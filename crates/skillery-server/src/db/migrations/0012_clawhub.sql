-- Stars: at most one of each user for a skill. How many there are stands beside the skill, as the sums of ratings do.
CREATE TABLE stars (
    skill TEXT NOT NULL REFERENCES skills (key),
    user_id TEXT NOT NULL REFERENCES users (id),
    at BIGINT NOT NULL,
    PRIMARY KEY (skill, user_id)
);
ALTER TABLE skills ADD COLUMN star_count BIGINT NOT NULL DEFAULT 0;
CREATE INDEX skills_by_stars ON skills (star_count, number);

-- Skills by the last segment of their key, for clients that leave the namespace out.
CREATE INDEX skills_by_name ON skills (substr(key, length(namespace) + 2));

-- Files that were uploaded, or may be, for a version that is not published yet. The id is what the user holds; the bytes
-- lie among the contents, and are collected there when no version came to need them.
CREATE TABLE staged_files (
    id TEXT PRIMARY KEY,
    user_id TEXT NOT NULL REFERENCES users (id),
    digest TEXT NOT NULL,
    size BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    stored_at BIGINT
);
CREATE INDEX staged_files_by_user ON staged_files (user_id, expires_at);
CREATE INDEX staged_files_by_end ON staged_files (expires_at);
