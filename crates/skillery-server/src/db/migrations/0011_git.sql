-- What the files of a bundle are called in git: the id of their folder, and those of everything in it, the folder too,
-- in hexadecimal one behind the other. Made from the bundle, and made again where a row is missing. `tree` is empty where
-- git does not accept the files.
CREATE TABLE git_trees (
    digest TEXT PRIMARY KEY,
    tree TEXT NOT NULL,
    objects TEXT NOT NULL
);

-- What the repository of a namespace has been, so that a commit that was told once can be fetched later. `positions` are
-- those of its versions in the log; where `base` is not empty, what differs from that other snapshot.
CREATE TABLE git_snapshots (
    namespace TEXT NOT NULL,
    commit_id TEXT NOT NULL,
    audience TEXT NOT NULL,
    base TEXT NOT NULL,
    positions TEXT NOT NULL,
    made_at BIGINT NOT NULL,
    PRIMARY KEY (namespace, commit_id)
);
CREATE INDEX git_snapshots_by_time ON git_snapshots (namespace, audience, made_at);
