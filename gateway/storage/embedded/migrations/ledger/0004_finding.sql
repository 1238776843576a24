-- By what runs are found besides their rows, what they cost, and what they made. Rows exist only
-- where there is something to say. `started_at` is the run's, so that a list comes out newest first.

CREATE TABLE run_fact (
    project_id TEXT NOT NULL,
    kind TEXT NOT NULL,
    value TEXT NOT NULL,
    started_at TEXT NOT NULL,
    run_id TEXT NOT NULL,
    PRIMARY KEY (project_id, kind, value, started_at, run_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE run_cost (
    project_id TEXT NOT NULL,
    run_id TEXT NOT NULL,
    currency TEXT NOT NULL,
    amount INTEGER NOT NULL,
    PRIMARY KEY (project_id, run_id, currency)
) STRICT, WITHOUT ROWID;

CREATE TABLE artifact (
    project_id TEXT NOT NULL,
    run_id TEXT NOT NULL,
    epoch INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    recorded_at TEXT NOT NULL,
    path TEXT,
    digest TEXT,
    access TEXT,
    media_type TEXT,
    size INTEGER,
    action_id TEXT,
    turn_id TEXT,
    agent_id TEXT,
    PRIMARY KEY (project_id, run_id, epoch, seq)
) STRICT, WITHOUT ROWID;

CREATE INDEX artifact_recorded ON artifact (project_id, recorded_at, run_id, epoch, seq);
CREATE INDEX artifact_agent
    ON artifact (project_id, agent_id, recorded_at, run_id, epoch, seq)
    WHERE agent_id IS NOT NULL;
CREATE INDEX artifact_action ON artifact (project_id, action_id, recorded_at)
    WHERE action_id IS NOT NULL;
CREATE INDEX artifact_path ON artifact (project_id, path, recorded_at, run_id, epoch, seq)
    WHERE path IS NOT NULL;
CREATE INDEX artifact_digest
    ON artifact (project_id, digest, recorded_at, run_id, epoch, seq)
    WHERE digest IS NOT NULL;

-- A list is filtered by at most a few of these and read newest first.
CREATE INDEX run_agent ON run (project_id, agent_id, started_at, run_id);
CREATE INDEX run_status ON run (project_id, status, started_at, run_id);
CREATE INDEX run_parent ON run (project_id, parent_run_id, started_at, run_id)
    WHERE parent_run_id IS NOT NULL;
