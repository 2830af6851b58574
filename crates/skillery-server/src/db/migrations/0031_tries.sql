-- Who has tried a webhook, or sent something again: that is for nobody to do again and again.
CREATE TABLE webhook_tries (
    user_id TEXT NOT NULL REFERENCES users (id),
    at BIGINT NOT NULL
);
CREATE INDEX webhook_tries_by_user ON webhook_tries (user_id, at);

-- Codes that are older than a day are found without those of today.
CREATE INDEX mail_codes_by_time ON mail_codes (at);

-- What somebody has not read, by number; and what of it was not mailed, either.
DROP INDEX notifications_unread;
CREATE INDEX notifications_unread ON notifications (user_id, id) WHERE read_at IS NULL;
CREATE INDEX notifications_unmailed ON notifications (user_id, id) WHERE read_at IS NULL AND mail IS NULL;
