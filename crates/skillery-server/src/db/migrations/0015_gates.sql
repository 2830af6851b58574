-- All that a policy says, as JSON, where that is more than so many approvals of one role. The columns beside it then have the most
-- people that it may ask for, so that a server of the release before lets nothing pass.
ALTER TABLE policies ADD COLUMN document TEXT;

-- Groups of namespaces that policies ask for, and who is in them.
CREATE TABLE reviewer_groups (
    namespace TEXT NOT NULL,
    name TEXT NOT NULL,
    place TEXT NOT NULL,
    org TEXT NOT NULL REFERENCES orgs (key),
    set_at BIGINT NOT NULL,
    log_index BIGINT NOT NULL,
    PRIMARY KEY (namespace, name)
);

CREATE TABLE reviewer_group_members (
    namespace TEXT NOT NULL,
    name TEXT NOT NULL,
    user_id TEXT NOT NULL REFERENCES users (id),
    PRIMARY KEY (namespace, name, user_id)
);

CREATE INDEX reviewer_group_members_user ON reviewer_group_members (user_id, namespace);

-- What a version asks for, as JSON; nothing where nobody has looked.
ALTER TABLE versions ADD COLUMN permissions TEXT;
-- What is to be said of a version that is handed out.
ALTER TABLE versions ADD COLUMN notice TEXT;

-- The groups that a decision names, as JSON, and the reviewer's signature.
ALTER TABLE decisions ADD COLUMN group_marks TEXT;
ALTER TABLE decisions ADD COLUMN signing_key TEXT;
ALTER TABLE decisions ADD COLUMN statement TEXT;
ALTER TABLE decisions ADD COLUMN signature TEXT;

-- What else is known of versions that somebody had to approve, or has to approve again.
CREATE TABLE gates (
    skill TEXT NOT NULL REFERENCES skills (key),
    version TEXT NOT NULL,
    -- Words with commas; nothing where nobody has looked.
    facts TEXT,
    -- Numbers of entries, with commas.
    passed TEXT NOT NULL,
    -- Approvals by entries before this one count no more.
    counts_from BIGINT NOT NULL,
    -- When it was released, or reviewed again.
    reviewed_at BIGINT,
    due_at BIGINT,
    held_for TEXT,
    forced_by TEXT REFERENCES users (id),
    forced_at BIGINT,
    forced_reason TEXT,
    forced_salt TEXT,
    forced_index BIGINT,
    PRIMARY KEY (skill, version)
);

CREATE INDEX gates_due ON gates (due_at) WHERE due_at IS NOT NULL;
CREATE INDEX versions_notice ON versions (notice) WHERE notice IS NOT NULL;
CREATE INDEX log_policies ON log (idx) WHERE kind IN ('policy.set', 'policy.removed');
