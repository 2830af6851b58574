-- What waits to be sent, by user: users take turns.
CREATE INDEX deliveries_turns_mail ON deliveries (user_id, next_at, id) WHERE state = 'waiting' AND channel <> 'webhook';
CREATE INDEX deliveries_turns_webhooks ON deliveries (user_id, next_at, id) WHERE state = 'waiting' AND channel = 'webhook';

-- What waits for one webhook, and what is dead of it: what has arrived there is kept for days, and is nothing to look through.
CREATE INDEX deliveries_waiting_by_webhook ON deliveries (webhook, kind, created_at) WHERE state = 'waiting' AND channel = 'webhook';
CREATE INDEX deliveries_dead_by_webhook ON deliveries (webhook, created_at, id) WHERE state = 'dead';

-- What is old is gone through in this order: many have ended, or were told, at the same time.
DROP INDEX deliveries_ended;
CREATE INDEX deliveries_ended ON deliveries (ended_at, id) WHERE ended_at IS NOT NULL;
DROP INDEX notifications_by_time;
CREATE INDEX notifications_by_time ON notifications (at, id);
