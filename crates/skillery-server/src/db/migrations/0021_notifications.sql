-- What people are told of. `source` names what it came from, so that nothing is told twice; `mail` is the delivery that mails
-- it. What stands on no page is only there to be mailed or sent on.
CREATE TABLE notifications (
    id BIGINT PRIMARY KEY,
    user_id TEXT NOT NULL REFERENCES users (id),
    kind TEXT NOT NULL,
    source TEXT NOT NULL,
    detail TEXT,
    skill TEXT REFERENCES skills (key),
    version TEXT,
    -- A key: that of the skill's namespace, or of the one that it is about.
    namespace TEXT,
    object TEXT,
    actor TEXT REFERENCES users (id),
    log_index BIGINT,
    at BIGINT NOT NULL,
    on_page BIGINT NOT NULL,
    read_at BIGINT,
    mail TEXT,
    UNIQUE (user_id, source, kind)
);
CREATE INDEX notifications_by_user ON notifications (user_id, id);
CREATE INDEX notifications_unread ON notifications (user_id) WHERE read_at IS NULL;
CREATE INDEX notifications_by_mail ON notifications (mail) WHERE mail IS NOT NULL;
CREATE INDEX notifications_by_time ON notifications (at);

-- How far the log was gone through: of entry `log_index` the step `step` is done for users up to `after_user`.
CREATE TABLE notification_head (
    id BIGINT PRIMARY KEY CHECK (id = 1),
    log_index BIGINT NOT NULL,
    step BIGINT NOT NULL,
    after_user TEXT NOT NULL,
    next_id BIGINT NOT NULL
);
-- What happened before is told nobody.
INSERT INTO notification_head (id, log_index, step, after_user, next_id) SELECT 1, entries, 0, '', 1 FROM log_head;

CREATE TABLE notification_preferences (
    user_id TEXT NOT NULL REFERENCES users (id),
    kind TEXT NOT NULL,
    page BIGINT NOT NULL,
    mail TEXT NOT NULL,
    webhook BIGINT NOT NULL,
    PRIMARY KEY (user_id, kind)
);

CREATE TABLE mail_addresses (
    user_id TEXT PRIMARY KEY REFERENCES users (id),
    address TEXT NOT NULL,
    set_at BIGINT NOT NULL,
    -- SHA-256 of the code that confirms it, until when it is good, and how often it was guessed wrong.
    code TEXT,
    code_until BIGINT NOT NULL,
    guesses BIGINT NOT NULL,
    confirmed_at BIGINT,
    unsubscribed_at BIGINT
);

-- Codes that were sent, so that nobody fills a stranger's mailbox with them.
CREATE TABLE mail_codes (
    user_id TEXT NOT NULL REFERENCES users (id),
    address TEXT NOT NULL,
    at BIGINT NOT NULL
);
CREATE INDEX mail_codes_by_user ON mail_codes (user_id, at);
CREATE INDEX mail_codes_by_address ON mail_codes (address, at);

CREATE TABLE webhooks (
    id TEXT PRIMARY KEY,
    -- Whose it is; of a namespace's, who made it.
    user_id TEXT NOT NULL REFERENCES users (id),
    -- A key.
    namespace TEXT,
    url TEXT NOT NULL,
    secret TEXT NOT NULL,
    kinds TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    failing_since BIGINT,
    disabled_at BIGINT,
    removed_at BIGINT
);
CREATE INDEX webhooks_by_user ON webhooks (user_id) WHERE removed_at IS NULL;
CREATE INDEX webhooks_by_namespace ON webhooks (namespace) WHERE removed_at IS NULL;

-- What is sent: mail to a user, or a request to a webhook. Whoever sends one takes it first, by setting `next_at` behind the time
-- that it may need: a server that dies meanwhile is followed by another one.
CREATE TABLE deliveries (
    id TEXT PRIMARY KEY,
    channel TEXT NOT NULL,
    user_id TEXT NOT NULL REFERENCES users (id),
    webhook TEXT REFERENCES webhooks (id),
    kind TEXT NOT NULL,
    -- Names what it came from: the same is sent once to the same place.
    source TEXT NOT NULL,
    target TEXT NOT NULL,
    notification BIGINT,
    body TEXT,
    state TEXT NOT NULL,
    attempts BIGINT NOT NULL,
    next_at BIGINT NOT NULL,
    taken_by TEXT,
    status BIGINT,
    error TEXT,
    created_at BIGINT NOT NULL,
    ended_at BIGINT,
    UNIQUE (target, source)
);
CREATE INDEX deliveries_due ON deliveries (next_at) WHERE state = 'waiting';
CREATE INDEX deliveries_by_webhook ON deliveries (webhook, created_at);
CREATE INDEX deliveries_ended ON deliveries (ended_at) WHERE ended_at IS NOT NULL;

-- Users of a skill are walked over in the order of their ids.
CREATE INDEX user_installs_by_skill ON user_installs (skill, user_id);
