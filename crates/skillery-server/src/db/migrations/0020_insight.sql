-- Downloads of versions by the program that asked, by day (days since 1970 UTC). The sums of all programs are in `installs`.
CREATE TABLE program_installs (
    skill TEXT NOT NULL REFERENCES skills (key),
    day BIGINT NOT NULL,
    version TEXT NOT NULL,
    program TEXT NOT NULL,
    downloads BIGINT NOT NULL,
    PRIMARY KEY (skill, day, version, program)
);
CREATE INDEX program_installs_by_day ON program_installs (day, skill);

-- The same by weeks and months (`unit`), from their first day on (`start`): what is left when days are removed.
CREATE TABLE install_periods (
    skill TEXT NOT NULL REFERENCES skills (key),
    unit TEXT NOT NULL,
    start BIGINT NOT NULL,
    version TEXT NOT NULL,
    downloads BIGINT NOT NULL,
    PRIMARY KEY (skill, unit, start, version)
);
CREATE TABLE program_periods (
    skill TEXT NOT NULL REFERENCES skills (key),
    unit TEXT NOT NULL,
    start BIGINT NOT NULL,
    program TEXT NOT NULL,
    downloads BIGINT NOT NULL,
    PRIMARY KEY (skill, unit, start, program)
);
-- Of a namespace with all below it, by days as well. An empty `program` is all of them together.
CREATE TABLE namespace_periods (
    namespace TEXT NOT NULL,
    unit TEXT NOT NULL,
    start BIGINT NOT NULL,
    program TEXT NOT NULL,
    downloads BIGINT NOT NULL,
    PRIMARY KEY (namespace, unit, start, program)
);

-- Which versions need which skills (`needed` is a key), for whoever asks from the other end.
CREATE TABLE needs (
    skill TEXT NOT NULL REFERENCES skills (key),
    version TEXT NOT NULL,
    needed TEXT NOT NULL,
    wanted TEXT NOT NULL,
    PRIMARY KEY (skill, version, needed)
);
CREATE INDEX needs_by_needed ON needs (needed, skill, version);
CREATE INDEX versions_by_log_position ON versions (log_position);
