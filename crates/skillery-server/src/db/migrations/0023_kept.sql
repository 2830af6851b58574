-- Whether a row is what only members of the org may do and a member did, or was refused to a member who had done such a thing
-- there before: from where such rows come is shown to the org's admins. It is decided when the row is written.
ALTER TABLE audit ADD COLUMN by_member BIGINT NOT NULL DEFAULT 0;
CREATE INDEX audit_members ON audit (user_id, org) WHERE by_member = 1;

-- The last position of the batch that a stream has begun to send: the same batch is sent again until it is taken.
ALTER TABLE audit_streams ADD COLUMN batch_end BIGINT;

-- An address that is to be confirmed while mail goes to the one before.
ALTER TABLE mail_addresses ADD COLUMN pending TEXT;

-- When somebody has changed a webhook last, or switched it on, and when its address was changed.
ALTER TABLE webhooks ADD COLUMN changed_at BIGINT NOT NULL DEFAULT 0;
ALTER TABLE webhooks ADD COLUMN moved_at BIGINT NOT NULL DEFAULT 0;

-- Mail and webhooks are sent by workers of their own.
DROP INDEX deliveries_due;
CREATE INDEX deliveries_due_mail ON deliveries (next_at) WHERE state = 'waiting' AND channel <> 'webhook';
CREATE INDEX deliveries_due_webhooks ON deliveries (next_at) WHERE state = 'waiting' AND channel = 'webhook';
CREATE INDEX deliveries_taken ON deliveries (user_id) WHERE taken_by IS NOT NULL;
