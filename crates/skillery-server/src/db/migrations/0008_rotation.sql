-- The few entries by which the log was handed over to another key.
CREATE INDEX log_rotations ON log (idx) WHERE kind = 'log.key-rotated';
