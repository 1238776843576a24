-- By what runs are found besides their rows, what they cost, and what they made. Rows exist only
-- where there is something to say. `started_at` is the run's, so that a list comes out newest first.

CREATE TABLE checkrein.run_fact (
    project_id text COLLATE "C" NOT NULL,
    kind text COLLATE "C" NOT NULL,
    value text COLLATE "C" NOT NULL,
    started_at text COLLATE "C" NOT NULL,
    run_id text COLLATE "C" NOT NULL,
    run_day date NOT NULL,
    PRIMARY KEY (project_id, kind, value, started_at, run_id)
);

CREATE TABLE checkrein.run_cost (
    project_id text COLLATE "C" NOT NULL,
    run_id text COLLATE "C" NOT NULL,
    currency text COLLATE "C" NOT NULL,
    amount bigint NOT NULL,
    run_day date NOT NULL,
    PRIMARY KEY (project_id, run_id, currency)
);

CREATE TABLE checkrein.artifact (
    project_id text COLLATE "C" NOT NULL,
    run_id text COLLATE "C" NOT NULL,
    epoch integer NOT NULL,
    seq bigint NOT NULL,
    recorded_at text COLLATE "C" NOT NULL,
    path text COLLATE "C",
    digest text COLLATE "C",
    access text COLLATE "C",
    media_type text COLLATE "C",
    size bigint,
    action_id text COLLATE "C",
    turn_id text COLLATE "C",
    agent_id text COLLATE "C",
    run_day date NOT NULL,
    PRIMARY KEY (project_id, run_id, epoch, seq)
);

CREATE INDEX artifact_recorded
    ON checkrein.artifact (project_id, recorded_at, run_id, epoch, seq);
CREATE INDEX artifact_agent
    ON checkrein.artifact (project_id, agent_id, recorded_at, run_id, epoch, seq)
    WHERE agent_id IS NOT NULL;
CREATE INDEX artifact_action ON checkrein.artifact (project_id, action_id, recorded_at)
    WHERE action_id IS NOT NULL;
CREATE INDEX artifact_path ON checkrein.artifact (project_id, path, recorded_at, run_id, epoch, seq)
    WHERE path IS NOT NULL;
CREATE INDEX artifact_digest
    ON checkrein.artifact (project_id, digest, recorded_at, run_id, epoch, seq)
    WHERE digest IS NOT NULL;
CREATE INDEX run_parent ON checkrein.run (project_id, parent_run_id, started_at, run_id)
    WHERE parent_run_id IS NOT NULL;

-- The days are what retention drops by.
CREATE INDEX run_fact_days ON checkrein.run_fact USING brin (run_day);
CREATE INDEX run_cost_days ON checkrein.run_cost USING brin (run_day);
CREATE INDEX artifact_days ON checkrein.artifact USING brin (run_day);

DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['run_fact', 'run_cost', 'artifact'] LOOP
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
END
$$;

-- A run's cost grows with its events.
CREATE POLICY projecting ON checkrein.run_cost FOR UPDATE TO checkrein_worker
    USING (true) WITH CHECK (true);
GRANT UPDATE (amount) ON checkrein.run_cost TO checkrein_worker;

-- Everything of the runs that began on a day, with what is filed about them.
CREATE OR REPLACE FUNCTION checkrein.drop_day(day date) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    parent text;
    part text;
BEGIN
    PERFORM set_config('checkrein.inside', 'on', true);
    FOREACH parent IN ARRAY ARRAY['event', 'blob'] LOOP
        part := parent || '_' || to_char(day, 'YYYYMMDD');
        IF to_regclass('checkrein.' || part) IS NOT NULL THEN
            EXECUTE format('DROP TABLE checkrein.%I', part);
        ELSE
            EXECUTE format('DELETE FROM checkrein.%I WHERE run_day = $1', parent) USING day;
        END IF;
    END LOOP;
    DELETE FROM checkrein.run_secret AS s USING checkrein.run AS r
        WHERE r.run_day = day AND s.project_id = r.project_id AND s.run_id = r.run_id;
    DELETE FROM checkrein.approval AS a USING checkrein.run AS r
        WHERE r.run_day = day AND a.project_id = r.project_id AND a.run_id = r.run_id;
    DELETE FROM checkrein.run_fact WHERE run_day = day;
    DELETE FROM checkrein.run_cost WHERE run_day = day;
    DELETE FROM checkrein.artifact WHERE run_day = day;
    DELETE FROM checkrein.action WHERE run_day = day;
    DELETE FROM checkrein.run WHERE run_day = day;
END
$$;
