-- The lasting record: events in one hash chain for each run, their sealed content, and projections.
-- The order of a chain is (epoch, seq); its head is its last row.

CREATE TABLE event (
    project_id TEXT NOT NULL,
    run_id TEXT NOT NULL,
    epoch INTEGER NOT NULL,
    seq INTEGER NOT NULL CHECK (seq > 0),
    id TEXT NOT NULL,
    type TEXT NOT NULL,
    recorded_at TEXT NOT NULL,
    action_id TEXT,
    decision_id TEXT,
    tool TEXT,
    enforced TEXT,
    -- The bytes that were hashed, and their SHA-256.
    record BLOB NOT NULL,
    hash BLOB NOT NULL CHECK (length(hash) = 32),
    -- The storage keys of the content parts, 32 bytes each, in the order of the parts' names.
    blob_keys BLOB NOT NULL
) STRICT;

-- Two events can never take the same place in a chain.
CREATE UNIQUE INDEX event_place ON event (project_id, run_id, epoch, seq);

CREATE INDEX event_decision ON event (project_id, decision_id) WHERE type = 'decision';

CREATE TABLE blob (
    project_id TEXT NOT NULL,
    run_id TEXT NOT NULL,
    key BLOB NOT NULL CHECK (length(key) = 32),
    sealed BLOB NOT NULL,
    PRIMARY KEY (project_id, run_id, key)
) STRICT, WITHOUT ROWID;

CREATE TABLE run_secret (
    project_id TEXT NOT NULL,
    run_id TEXT NOT NULL,
    wrapped BLOB NOT NULL,
    PRIMARY KEY (project_id, run_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE run (
    project_id TEXT NOT NULL,
    run_id TEXT NOT NULL,
    environment TEXT NOT NULL,
    started_at TEXT NOT NULL,
    last_at TEXT NOT NULL,
    name TEXT,
    agent_id TEXT,
    user_id TEXT,
    parent_run_id TEXT,
    external_id TEXT,
    status TEXT NOT NULL,
    ended_at TEXT,
    events INTEGER NOT NULL,
    actions INTEGER NOT NULL,
    blocked INTEGER NOT NULL,
    warned INTEGER NOT NULL,
    approvals INTEGER NOT NULL,
    errors INTEGER NOT NULL,
    halted INTEGER NOT NULL,
    spend TEXT NOT NULL,
    PRIMARY KEY (project_id, run_id)
) STRICT, WITHOUT ROWID;

CREATE INDEX run_started ON run (project_id, started_at, run_id);

CREATE TABLE approval (
    project_id TEXT NOT NULL,
    approval_id TEXT NOT NULL,
    run_id TEXT NOT NULL,
    environment TEXT NOT NULL,
    action_id TEXT NOT NULL,
    decision_id TEXT NOT NULL,
    tool TEXT NOT NULL,
    arguments_digest TEXT NOT NULL,
    policy_digest TEXT NOT NULL,
    rules TEXT NOT NULL,
    requested_at TEXT NOT NULL,
    expires_at TEXT NOT NULL,
    status TEXT NOT NULL,
    PRIMARY KEY (project_id, approval_id)
) STRICT, WITHOUT ROWID;

CREATE INDEX approval_requested ON approval (project_id, requested_at, approval_id);
