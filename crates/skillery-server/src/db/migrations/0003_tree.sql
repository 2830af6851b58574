-- The column is renamed so that an older program, which knows no tree, cannot append to the log any more.
-- The log is a tree: `edge` holds the roots of its largest complete subtrees, `note` its signed checkpoint. An empty
-- `note` marks a log that has none yet.
ALTER TABLE log_head RENAME COLUMN size TO entries;
ALTER TABLE log_head ADD COLUMN edge TEXT NOT NULL DEFAULT '';
ALTER TABLE log_head ADD COLUMN note TEXT NOT NULL DEFAULT '';

-- `body` is the entry's canonical JSON, `salt` what hides it in its leaf.
ALTER TABLE log ADD COLUMN salt TEXT;
CREATE INDEX log_by_skill ON log (skill, idx);
CREATE INDEX log_hidden ON log (idx) WHERE salt IS NOT NULL;

-- Roots of complete subtrees of 256, 65536, ... leaves: what tiles above the lowest hold.
CREATE TABLE log_nodes (
    level BIGINT NOT NULL,
    idx BIGINT NOT NULL,
    hash TEXT NOT NULL,
    PRIMARY KEY (level, idx)
);
