-- What waits to be sent, by user: users take turns.

CREATE INDEX deliveries_turns_mail ON deliveries (user_id, next_at, id) WHERE state = 'waiting' AND channel <> 'webhook';
CREATE INDEX deliveries_turns_webhooks ON deliveries (user_id, next_at, id) WHERE state = 'waiting' AND channel = 'webhook';
