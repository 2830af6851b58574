-- What was decided is listed from the last decision on, without looking at those before it.
CREATE INDEX decisions_by_time ON decisions (at DESC, skill, version);
