-- The last mail that could not be delivered to a user, until one arrives there or an address is confirmed.
ALTER TABLE mail_addresses ADD COLUMN undelivered_to TEXT;
ALTER TABLE mail_addresses ADD COLUMN undelivered_at BIGINT;
ALTER TABLE mail_addresses ADD COLUMN undelivered_why TEXT;
