CREATE TABLE action (
    project_id TEXT NOT NULL,
    run_id TEXT NOT NULL,
    action_id TEXT NOT NULL,
    place INTEGER NOT NULL,
    decision_id TEXT NOT NULL,
    record BLOB NOT NULL,
    deadline_ns INTEGER,
    PRIMARY KEY (project_id, run_id, action_id)
) STRICT, WITHOUT ROWID;

CREATE INDEX action_deadline ON action (deadline_ns) WHERE deadline_ns IS NOT NULL;

CREATE INDEX action_decision ON action (project_id, decision_id);

CREATE INDEX action_place ON action (project_id, run_id, place);

CREATE TABLE approval (
    project_id TEXT NOT NULL,
    run_id TEXT NOT NULL,
    approval_id TEXT NOT NULL,
    expires_ns INTEGER NOT NULL,
    record BLOB NOT NULL,
    closed INTEGER NOT NULL,
    PRIMARY KEY (project_id, run_id, approval_id)
) STRICT, WITHOUT ROWID;

CREATE INDEX approval_due ON approval (expires_ns) WHERE closed = 0;

CREATE TABLE counter (
    project_id TEXT NOT NULL,
    key TEXT NOT NULL,
    total INTEGER NOT NULL,
    PRIMARY KEY (project_id, key)
) STRICT, WITHOUT ROWID;

CREATE TABLE event (
    row INTEGER PRIMARY KEY AUTOINCREMENT,
    project_id TEXT NOT NULL,
    run_id TEXT NOT NULL,
    seq INTEGER NOT NULL,
    id TEXT NOT NULL,
    environment TEXT NOT NULL,
    recorded_ns INTEGER NOT NULL,
    raw BLOB NOT NULL
) STRICT;

CREATE INDEX event_id ON event (id);

CREATE TABLE migration (name TEXT PRIMARY KEY, digest TEXT NOT NULL);

CREATE TABLE run (
    project_id TEXT NOT NULL,
    run_id TEXT NOT NULL,
    environment TEXT NOT NULL,
    state BLOB NOT NULL,
    secret BLOB NOT NULL,
    last_seq INTEGER NOT NULL,
    last_row INTEGER NOT NULL,
    last_ns INTEGER NOT NULL,
    PRIMARY KEY (project_id, run_id)
) STRICT, WITHOUT ROWID;
