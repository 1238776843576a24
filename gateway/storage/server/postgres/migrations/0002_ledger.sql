-- The lasting record: events in one hash chain for each run, their sealed content, and projections.
-- The order of a chain is (epoch, seq); its head is its last row.
--
-- Events and content lie in partitions by the day on which their run began, which is fixed by its
-- first event and kept in the run's row; so every event of a run is in one partition, and a day is
-- dropped whole. Text is compared by its bytes. It holds no zero bytes, so the gateway writes
-- these differently (see rows.py).

CREATE TABLE checkrein.event (
    project_id text COLLATE "C" NOT NULL,
    run_day date NOT NULL,
    run_id text COLLATE "C" NOT NULL,
    seq bigint NOT NULL CHECK (seq > 0),
    epoch integer NOT NULL CHECK (epoch >= 0),
    id text COLLATE "C" NOT NULL,
    type text COLLATE "C" NOT NULL,
    recorded_at text COLLATE "C" NOT NULL,
    action_id text COLLATE "C",
    decision_id text COLLATE "C",
    tool text COLLATE "C",
    enforced text COLLATE "C",
    -- The bytes that were hashed, and their SHA-256.
    record bytea NOT NULL,
    hash bytea NOT NULL CHECK (length(hash) = 32),
    -- The storage keys of the content parts, 32 bytes each, in the order of the parts' names.
    blob_keys bytea NOT NULL,
    -- Two events can never take the same place in a chain.
    PRIMARY KEY (project_id, run_day, run_id, seq, epoch)
) PARTITION BY RANGE (run_day);

-- The server's older compression took an eighth of the time that recording takes.
DO $$
BEGIN
    ALTER TABLE checkrein.event ALTER COLUMN record SET COMPRESSION lz4;
EXCEPTION WHEN feature_not_supported THEN
    NULL;  -- A server that was built without it.
END
$$;

-- Nearly always empty, and so it costs nothing: whether a run has epochs, and where it ends then.
CREATE INDEX event_epoch ON checkrein.event (project_id, run_day, run_id, epoch, seq)
    WHERE epoch > 0;

CREATE TABLE checkrein.blob (
    project_id text COLLATE "C" NOT NULL,
    run_day date NOT NULL,
    run_id text COLLATE "C" NOT NULL,
    key bytea NOT NULL CHECK (length(key) = 32),
    sealed bytea NOT NULL,
    PRIMARY KEY (project_id, run_day, run_id, key)
) PARTITION BY RANGE (run_day);

-- Ciphertext does not compress; trying costs time.
ALTER TABLE checkrein.blob ALTER COLUMN sealed SET STORAGE EXTERNAL;

CREATE TABLE checkrein.run_secret (
    project_id text COLLATE "C" NOT NULL,
    run_id text COLLATE "C" NOT NULL,
    wrapped bytea NOT NULL,
    PRIMARY KEY (project_id, run_id)
);

CREATE TABLE checkrein.run (
    project_id text COLLATE "C" NOT NULL,
    run_id text COLLATE "C" NOT NULL,
    run_day date NOT NULL,
    environment text COLLATE "C" NOT NULL,
    started_at text COLLATE "C" NOT NULL,
    last_at text COLLATE "C" NOT NULL,
    name text,
    agent_id text COLLATE "C",
    user_id text,
    parent_run_id text,
    external_id text,
    status text COLLATE "C" NOT NULL,
    ended_at text COLLATE "C",
    events bigint NOT NULL,
    actions bigint NOT NULL,
    blocked bigint NOT NULL,
    warned bigint NOT NULL,
    approvals bigint NOT NULL,
    errors bigint NOT NULL,
    halted boolean NOT NULL,
    spend text NOT NULL,
    PRIMARY KEY (project_id, run_id)
) WITH (fillfactor = 80);

-- A list is filtered by at most a few of these and read newest first.
CREATE INDEX run_started ON checkrein.run (project_id, started_at, run_id);
CREATE INDEX run_environment ON checkrein.run (project_id, environment, started_at, run_id);
CREATE INDEX run_agent ON checkrein.run (project_id, agent_id, started_at, run_id);
CREATE INDEX run_status ON checkrein.run (project_id, status, started_at, run_id);
CREATE INDEX run_days ON checkrein.run USING brin (run_day);

-- Every decision of every action, and where its event is: found without a look into each day.
CREATE TABLE checkrein.action (
    project_id text COLLATE "C" NOT NULL,
    decision_id text COLLATE "C" NOT NULL,
    run_id text COLLATE "C" NOT NULL,
    epoch integer NOT NULL,
    seq bigint NOT NULL,
    run_day date NOT NULL,
    action_id text COLLATE "C",
    tool text COLLATE "C",
    enforced text COLLATE "C",
    recorded_at text COLLATE "C" NOT NULL,
    PRIMARY KEY (project_id, decision_id, run_id, epoch, seq)
);

CREATE INDEX action_days ON checkrein.action USING brin (run_day);

CREATE TABLE checkrein.approval (
    project_id text COLLATE "C" NOT NULL,
    approval_id text COLLATE "C" NOT NULL,
    run_id text COLLATE "C" NOT NULL,
    environment text COLLATE "C" NOT NULL,
    action_id text COLLATE "C" NOT NULL,
    decision_id text COLLATE "C" NOT NULL,
    tool text COLLATE "C" NOT NULL,
    arguments_digest text NOT NULL,
    policy_digest text NOT NULL,
    rules text NOT NULL,
    requested_at text COLLATE "C" NOT NULL,
    expires_at text COLLATE "C" NOT NULL,
    status text COLLATE "C" NOT NULL,
    PRIMARY KEY (project_id, approval_id)
);

CREATE INDEX approval_requested ON checkrein.approval (project_id, requested_at, approval_id);
CREATE INDEX approval_status ON checkrein.approval (project_id, status, requested_at, approval_id);

-- What a day without a partition of its own falls into, so that nothing is ever refused for its day.
CREATE TABLE checkrein.event_other PARTITION OF checkrein.event DEFAULT;
CREATE TABLE checkrein.blob_other PARTITION OF checkrein.blob DEFAULT;

-- Row-level security, for the owner too. A gateway sees the project its transaction speaks for; a
-- worker records for all and reads what it chains behind; the owner reaches rows only from within
-- the functions of this schema, which say so by a setting of their own.
DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['event', 'blob', 'run_secret', 'run', 'action', 'approval'] LOOP
        EXECUTE format('ALTER TABLE checkrein.%I ENABLE ROW LEVEL SECURITY', name);
        EXECUTE format('ALTER TABLE checkrein.%I FORCE ROW LEVEL SECURITY', name);
        EXECUTE format('REVOKE ALL ON checkrein.%I FROM PUBLIC', name);
        EXECUTE format(
            'CREATE POLICY tenant ON checkrein.%I FOR SELECT TO checkrein_gateway USING '
            '(project_id = (SELECT current_setting(''checkrein.project'')::checkrein.tenant))',
            name
        );
        EXECUTE format(
            'CREATE POLICY reading ON checkrein.%I FOR SELECT TO checkrein_worker USING (true)',
            name
        );
        EXECUTE format(
            'CREATE POLICY recording ON checkrein.%I FOR INSERT TO checkrein_worker '
            'WITH CHECK (true)',
            name
        );
        EXECUTE format(
            'CREATE POLICY inside ON checkrein.%I TO CURRENT_USER USING '
            '((SELECT current_setting(''checkrein.inside'', true)) = ''on'')',
            name
        );
        EXECUTE format('GRANT SELECT ON checkrein.%I TO checkrein_gateway', name);
        EXECUTE format('GRANT SELECT, INSERT ON checkrein.%I TO checkrein_worker', name);
    END LOOP;
    -- Projections follow the events; events, content and secrets are only ever added.
    FOREACH name IN ARRAY ARRAY['run', 'approval'] LOOP
        EXECUTE format(
            'CREATE POLICY projecting ON checkrein.%I FOR UPDATE TO checkrein_worker '
            'USING (true) WITH CHECK (true)',
            name
        );
    END LOOP;
    -- A partition that is asked by its own name shows nothing to anybody.
    FOREACH name IN ARRAY ARRAY['event_other', 'blob_other'] LOOP
        EXECUTE format('ALTER TABLE checkrein.%I ENABLE ROW LEVEL SECURITY', name);
        EXECUTE format('ALTER TABLE checkrein.%I FORCE ROW LEVEL SECURITY', name);
        EXECUTE format(
            'REVOKE ALL ON checkrein.%I FROM PUBLIC, checkrein_gateway, checkrein_worker', name
        );
    END LOOP;
END
$$;

-- Whose a row is and where its events lie is said once.
GRANT UPDATE (environment, started_at, last_at, name, agent_id, user_id, parent_run_id, external_id,
    status, ended_at, events, actions, blocked, warned, approvals, errors, halted, spend)
    ON checkrein.run TO checkrein_worker;
GRANT UPDATE (run_id, environment, action_id, decision_id, tool, arguments_digest, policy_digest,
    rules, requested_at, expires_at, status)
    ON checkrein.approval TO checkrein_worker;
