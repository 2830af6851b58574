-- Links that sign somebody in with a browser, once: for whom the token is that each was made with.
CREATE TABLE login_links (
    hash TEXT PRIMARY KEY,
    token TEXT NOT NULL REFERENCES tokens (id),
    expires_at BIGINT NOT NULL
);
CREATE INDEX login_links_by_end ON login_links (expires_at);

-- The token that somebody signed in with: a session ends with it.
ALTER TABLE tokens ADD COLUMN parent TEXT REFERENCES tokens (id);
CREATE INDEX tokens_by_parent ON tokens (parent) WHERE parent IS NOT NULL;
