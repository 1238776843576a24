CREATE SCHEMA checkrein;

ALTER SCHEMA checkrein OWNER TO checkrein_owner;

CREATE DOMAIN checkrein.tenant AS text COLLATE pg_catalog."C"
	CONSTRAINT tenant_check CHECK ((VALUE <> ''::text));

ALTER DOMAIN checkrein.tenant OWNER TO checkrein_owner;

CREATE FUNCTION checkrein.announce() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
BEGIN
    UPDATE checkrein.change SET number = number + 1;
    RETURN NULL;
END
$$;

ALTER FUNCTION checkrein.announce() OWNER TO checkrein_owner;

CREATE FUNCTION checkrein.destroy_keys(project text, whose bytea) RETURNS bigint
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
DECLARE
    done bigint;
BEGIN
    IF project = '*'
        OR project IS DISTINCT FROM current_setting('checkrein.project')::checkrein.tenant THEN
        RAISE EXCEPTION 'this transaction speaks for another project';
    END IF;
    PERFORM set_config('checkrein.inside', 'on', true);
    DELETE FROM checkrein.wrapped_key
        WHERE project_id = project AND (whose IS NULL OR subject = whose);
    GET DIAGNOSTICS done = ROW_COUNT;
    UPDATE checkrein.change SET number = number + 1, erasures = erasures + 1;
    PERFORM set_config('checkrein.inside', 'off', true);
    RETURN done;
END
$$;

ALTER FUNCTION checkrein.destroy_keys(project text, whose bytea) OWNER TO checkrein_owner;

CREATE FUNCTION checkrein.drop_day(day date) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
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
$_$;

ALTER FUNCTION checkrein.drop_day(day date) OWNER TO checkrein_owner;

CREATE FUNCTION checkrein.erase_runs(project text, runs text[], note text) RETURNS bigint
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
DECLARE
    done bigint;
BEGIN
    IF project IS DISTINCT FROM current_setting('checkrein.project')::checkrein.tenant THEN
        RAISE EXCEPTION 'this transaction speaks for another project';
    END IF;
    PERFORM set_config('checkrein.inside', 'on', true);
    INSERT INTO checkrein.run_secret AS s (project_id, run_id, wrapped, erased)
        SELECT project, run, '\x', note FROM unnest(runs) AS run
        ON CONFLICT (project_id, run_id) DO UPDATE SET wrapped = '\x', erased = excluded.erased
        WHERE s.erased IS NULL;
    GET DIAGNOSTICS done = ROW_COUNT;
    UPDATE checkrein.change SET number = number + 1, erasures = erasures + 1;
    PERFORM set_config('checkrein.inside', 'off', true);
    RETURN done;
END
$$;

ALTER FUNCTION checkrein.erase_runs(project text, runs text[], note text) OWNER TO checkrein_owner;

CREATE FUNCTION checkrein.expire_key(key_id text, at text) RETURNS boolean
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
BEGIN
    PERFORM set_config('checkrein.inside', 'on', true);
    UPDATE checkrein.api_key SET expires_at = at
        WHERE id = key_id AND (expires_at IS NULL OR expires_at > at);
    RETURN FOUND;
END
$$;

ALTER FUNCTION checkrein.expire_key(key_id text, at text) OWNER TO checkrein_owner;

CREATE TABLE checkrein.api_key (
    id text NOT NULL COLLATE pg_catalog."C",
    project_id text NOT NULL COLLATE pg_catalog."C",
    environment text NOT NULL COLLATE pg_catalog."C",
    name text NOT NULL COLLATE pg_catalog."C",
    digest bytea NOT NULL,
    scopes text NOT NULL COLLATE pg_catalog."C",
    created_at text NOT NULL COLLATE pg_catalog."C",
    agent_id text COLLATE pg_catalog."C",
    expires_at text COLLATE pg_catalog."C",
    revoked_at text COLLATE pg_catalog."C"
);

ALTER TABLE ONLY checkrein.api_key FORCE ROW LEVEL SECURITY;

ALTER TABLE checkrein.api_key OWNER TO checkrein_owner;

CREATE FUNCTION checkrein.keys() RETURNS SETOF checkrein.api_key
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
BEGIN
    PERFORM set_config('checkrein.inside', 'on', true);
    RETURN QUERY SELECT * FROM checkrein.api_key ORDER BY created_at, id;
END
$$;

ALTER FUNCTION checkrein.keys() OWNER TO checkrein_owner;

CREATE FUNCTION checkrein.maintain(keep_days integer DEFAULT NULL::integer, ahead_days integer DEFAULT 7, OUT made integer, OUT dropped integer) RETURNS record
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
DECLARE
    today date := (now() AT TIME ZONE 'UTC')::date;
    old date;
BEGIN
    PERFORM set_config('checkrein.inside', 'on', true);
    made := 0;
    dropped := 0;
    FOR days IN 0 .. least(ahead_days, 31) LOOP
        IF checkrein.make_day(today + days) THEN
            made := made + 1;
        END IF;
    END LOOP;
    IF keep_days IS NULL THEN
        RETURN;
    END IF;
    IF keep_days < (SELECT shortest_days FROM checkrein.retention) THEN
        RAISE EXCEPTION 'a retention of % days is shorter than allowed', keep_days;
    END IF;
    FOR old IN
        SELECT run_day FROM checkrein.run WHERE run_day < today - keep_days
        UNION
        SELECT to_date(right(c.relname, 8), 'YYYYMMDD')
        FROM pg_inherits AS i JOIN pg_class AS c ON c.oid = i.inhrelid
        WHERE i.inhparent = 'checkrein.event'::regclass AND c.relname ~ '^event_\d{8}$'
            AND to_date(right(c.relname, 8), 'YYYYMMDD') < today - keep_days
    LOOP
        CONTINUE WHEN EXISTS (
            SELECT FROM checkrein.run
            WHERE run_day = old AND last_at >= (today - keep_days)::text COLLATE "C"
        );
        PERFORM checkrein.drop_day(old);
        dropped := dropped + 1;
    END LOOP;
END
$_$;

ALTER FUNCTION checkrein.maintain(keep_days integer, ahead_days integer, OUT made integer, OUT dropped integer) OWNER TO checkrein_owner;

CREATE FUNCTION checkrein.make_day(day date) RETURNS boolean
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
DECLARE
    today date := (now() AT TIME ZONE 'UTC')::date;
    parent text;
    part text;
    held boolean;
BEGIN
    PERFORM set_config('checkrein.inside', 'on', true);
    IF day NOT BETWEEN today - 400 AND today + 31 THEN
        RETURN false;
    END IF;
    PERFORM pg_advisory_xact_lock(hashtextextended('checkrein.days', 0));
    FOREACH parent IN ARRAY ARRAY['event', 'blob'] LOOP
        part := parent || '_' || to_char(day, 'YYYYMMDD');
        CONTINUE WHEN to_regclass('checkrein.' || part) IS NOT NULL;
        EXECUTE format('SELECT EXISTS (SELECT FROM checkrein.%I WHERE run_day = $1)', parent)
            INTO held USING day;
        IF held THEN
            RETURN false;
        END IF;
        -- Made first and attached then: whoever reads or records other days does not wait.
        EXECUTE format(
            'CREATE TABLE checkrein.%I '
            '(LIKE checkrein.%I INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING STORAGE '
            'INCLUDING COMPRESSION)',
            part, parent
        );
        IF parent = 'event' THEN
            EXECUTE format('ALTER TABLE checkrein.%I SET (toast_tuple_target = 4080)', part);
        END IF;
        EXECUTE format('ALTER TABLE checkrein.%I ENABLE ROW LEVEL SECURITY', part);
        EXECUTE format('ALTER TABLE checkrein.%I FORCE ROW LEVEL SECURITY', part);
        EXECUTE format(
            'REVOKE ALL ON checkrein.%I FROM PUBLIC, checkrein_gateway, checkrein_worker', part
        );
        EXECUTE format(
            'ALTER TABLE checkrein.%I ATTACH PARTITION checkrein.%I FOR VALUES FROM (%L) TO (%L)',
            parent, part, day, day + 1
        );
    END LOOP;
    RETURN true;
END
$_$;

ALTER FUNCTION checkrein.make_day(day date) OWNER TO checkrein_owner;

CREATE FUNCTION checkrein.project_named(wanted text, fresh text) RETURNS text
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
DECLARE
    known text;
BEGIN
    SELECT id INTO known FROM checkrein.project WHERE name = wanted;
    IF known IS NULL THEN
        INSERT INTO checkrein.project (id, name) VALUES (fresh, wanted)
            ON CONFLICT (name) DO NOTHING;
        SELECT id INTO known FROM checkrein.project WHERE name = wanted;
    END IF;
    RETURN known;
END
$$;

ALTER FUNCTION checkrein.project_named(wanted text, fresh text) OWNER TO checkrein_owner;

CREATE FUNCTION checkrein.revoke_key(key_id text, at text) RETURNS boolean
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
BEGIN
    PERFORM set_config('checkrein.inside', 'on', true);
    UPDATE checkrein.api_key SET revoked_at = at WHERE id = key_id AND revoked_at IS NULL;
    RETURN FOUND;
END
$$;

ALTER FUNCTION checkrein.revoke_key(key_id text, at text) OWNER TO checkrein_owner;

CREATE FUNCTION checkrein.trim_feed(keep interval) RETURNS bigint
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
DECLARE
    gone bigint;
BEGIN
    PERFORM set_config('checkrein.inside', 'on', true);
    DELETE FROM checkrein.feed WHERE made_at < now() - greatest(keep, interval '1 day');
    GET DIAGNOSTICS gone = ROW_COUNT;
    RETURN gone;
END
$$;

ALTER FUNCTION checkrein.trim_feed(keep interval) OWNER TO checkrein_owner;

CREATE FUNCTION checkrein.unfile(project text, run text) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
BEGIN
    PERFORM set_config('checkrein.inside', 'on', true);
    DELETE FROM checkrein.run_fact WHERE project_id = project AND run_id = run;
    DELETE FROM checkrein.run_cost WHERE project_id = project AND run_id = run;
    DELETE FROM checkrein.artifact WHERE project_id = project AND run_id = run;
    PERFORM set_config('checkrein.inside', 'off', true);
END
$$;

ALTER FUNCTION checkrein.unfile(project text, run text) OWNER TO checkrein_owner;

CREATE TABLE checkrein.action (
    project_id text NOT NULL COLLATE pg_catalog."C",
    decision_id text NOT NULL COLLATE pg_catalog."C",
    run_id text NOT NULL COLLATE pg_catalog."C",
    epoch integer NOT NULL,
    seq bigint NOT NULL,
    run_day date NOT NULL,
    action_id text COLLATE pg_catalog."C",
    tool text COLLATE pg_catalog."C",
    enforced text COLLATE pg_catalog."C",
    recorded_at text NOT NULL COLLATE pg_catalog."C"
);

ALTER TABLE ONLY checkrein.action FORCE ROW LEVEL SECURITY;

ALTER TABLE checkrein.action OWNER TO checkrein_owner;

CREATE TABLE checkrein.approval (
    project_id text NOT NULL COLLATE pg_catalog."C",
    approval_id text NOT NULL COLLATE pg_catalog."C",
    run_id text NOT NULL COLLATE pg_catalog."C",
    environment text NOT NULL COLLATE pg_catalog."C",
    action_id text NOT NULL COLLATE pg_catalog."C",
    decision_id text NOT NULL COLLATE pg_catalog."C",
    tool text NOT NULL COLLATE pg_catalog."C",
    arguments_digest text NOT NULL,
    policy_digest text NOT NULL,
    rules text NOT NULL,
    requested_at text NOT NULL COLLATE pg_catalog."C",
    expires_at text NOT NULL COLLATE pg_catalog."C",
    status text NOT NULL COLLATE pg_catalog."C"
);

ALTER TABLE ONLY checkrein.approval FORCE ROW LEVEL SECURITY;

ALTER TABLE checkrein.approval OWNER TO checkrein_owner;

CREATE TABLE checkrein.artifact (
    project_id text NOT NULL COLLATE pg_catalog."C",
    run_id text NOT NULL COLLATE pg_catalog."C",
    epoch integer NOT NULL,
    seq bigint NOT NULL,
    recorded_at text NOT NULL COLLATE pg_catalog."C",
    path text COLLATE pg_catalog."C",
    digest text COLLATE pg_catalog."C",
    access text COLLATE pg_catalog."C",
    media_type text COLLATE pg_catalog."C",
    size bigint,
    action_id text COLLATE pg_catalog."C",
    turn_id text COLLATE pg_catalog."C",
    agent_id text COLLATE pg_catalog."C",
    run_day date NOT NULL
);

ALTER TABLE ONLY checkrein.artifact FORCE ROW LEVEL SECURITY;

ALTER TABLE checkrein.artifact OWNER TO checkrein_owner;

CREATE TABLE checkrein.blob (
    project_id text NOT NULL COLLATE pg_catalog."C",
    run_day date NOT NULL,
    run_id text NOT NULL COLLATE pg_catalog."C",
    key bytea NOT NULL,
    sealed bytea NOT NULL,
    CONSTRAINT blob_key_check CHECK ((length(key) = 32))
)
PARTITION BY RANGE (run_day);
ALTER TABLE ONLY checkrein.blob ALTER COLUMN sealed SET STORAGE EXTERNAL;

ALTER TABLE ONLY checkrein.blob FORCE ROW LEVEL SECURITY;

ALTER TABLE checkrein.blob OWNER TO checkrein_owner;

CREATE TABLE checkrein.blob_other (
    project_id text NOT NULL COLLATE pg_catalog."C",
    run_day date NOT NULL,
    run_id text NOT NULL COLLATE pg_catalog."C",
    key bytea NOT NULL,
    sealed bytea NOT NULL,
    CONSTRAINT blob_key_check CHECK ((length(key) = 32))
);
ALTER TABLE ONLY checkrein.blob_other ALTER COLUMN sealed SET STORAGE EXTERNAL;

ALTER TABLE ONLY checkrein.blob_other FORCE ROW LEVEL SECURITY;

ALTER TABLE checkrein.blob_other OWNER TO checkrein_owner;

CREATE TABLE checkrein.change (
    sole boolean DEFAULT true NOT NULL,
    number bigint NOT NULL,
    erasures bigint DEFAULT 0 NOT NULL,
    CONSTRAINT change_sole_check CHECK (sole)
);

ALTER TABLE checkrein.change OWNER TO checkrein_owner;

CREATE TABLE checkrein.event (
    project_id text NOT NULL COLLATE pg_catalog."C",
    run_day date NOT NULL,
    run_id text NOT NULL COLLATE pg_catalog."C",
    seq bigint NOT NULL,
    epoch integer NOT NULL,
    id text NOT NULL COLLATE pg_catalog."C",
    type text NOT NULL COLLATE pg_catalog."C",
    recorded_at text NOT NULL COLLATE pg_catalog."C",
    action_id text COLLATE pg_catalog."C",
    decision_id text COLLATE pg_catalog."C",
    tool text COLLATE pg_catalog."C",
    enforced text COLLATE pg_catalog."C",
    record bytea NOT NULL,
    hash bytea NOT NULL,
    blob_keys bytea NOT NULL,
    leaves bigint,
    CONSTRAINT event_epoch_check CHECK ((epoch >= 0)),
    CONSTRAINT event_hash_check CHECK ((length(hash) = 32)),
    CONSTRAINT event_seq_check CHECK ((seq > 0))
)
PARTITION BY RANGE (run_day);
ALTER TABLE ONLY checkrein.event ALTER COLUMN record SET COMPRESSION lz4;

ALTER TABLE ONLY checkrein.event FORCE ROW LEVEL SECURITY;

ALTER TABLE checkrein.event OWNER TO checkrein_owner;

CREATE TABLE checkrein.event_other (
    project_id text NOT NULL COLLATE pg_catalog."C",
    run_day date NOT NULL,
    run_id text NOT NULL COLLATE pg_catalog."C",
    seq bigint NOT NULL,
    epoch integer NOT NULL,
    id text NOT NULL COLLATE pg_catalog."C",
    type text NOT NULL COLLATE pg_catalog."C",
    recorded_at text NOT NULL COLLATE pg_catalog."C",
    action_id text COLLATE pg_catalog."C",
    decision_id text COLLATE pg_catalog."C",
    tool text COLLATE pg_catalog."C",
    enforced text COLLATE pg_catalog."C",
    record bytea NOT NULL,
    hash bytea NOT NULL,
    blob_keys bytea NOT NULL,
    leaves bigint,
    CONSTRAINT event_epoch_check CHECK ((epoch >= 0)),
    CONSTRAINT event_hash_check CHECK ((length(hash) = 32)),
    CONSTRAINT event_seq_check CHECK ((seq > 0))
)
WITH (toast_tuple_target='4080');
ALTER TABLE ONLY checkrein.event_other ALTER COLUMN record SET COMPRESSION lz4;

ALTER TABLE ONLY checkrein.event_other FORCE ROW LEVEL SECURITY;

ALTER TABLE checkrein.event_other OWNER TO checkrein_owner;

CREATE TABLE checkrein.feed (
    project_id text NOT NULL COLLATE pg_catalog."C",
    place bigint NOT NULL,
    events integer NOT NULL,
    made_at timestamp with time zone DEFAULT now() NOT NULL,
    run_ids text[] NOT NULL COLLATE pg_catalog."C",
    run_days date[] NOT NULL,
    epochs integer[] NOT NULL,
    first_seqs bigint[] NOT NULL,
    counts integer[] NOT NULL,
    CONSTRAINT feed_events_check CHECK ((events > 0))
);

ALTER TABLE ONLY checkrein.feed FORCE ROW LEVEL SECURITY;

ALTER TABLE checkrein.feed OWNER TO checkrein_owner;

CREATE TABLE checkrein.feed_end (
    project_id text NOT NULL COLLATE pg_catalog."C",
    place bigint NOT NULL
)
WITH (fillfactor='50');

ALTER TABLE ONLY checkrein.feed_end FORCE ROW LEVEL SECURITY;

ALTER TABLE checkrein.feed_end OWNER TO checkrein_owner;

CREATE TABLE checkrein.leaves (
    number bigint NOT NULL,
    project_id text NOT NULL COLLATE pg_catalog."C",
    first bigint,
    count integer NOT NULL,
    hashes bytea NOT NULL,
    CONSTRAINT leaves_check CHECK ((length(hashes) = (32 * count))),
    CONSTRAINT leaves_count_check CHECK ((count > 0)),
    CONSTRAINT leaves_first_check CHECK ((first >= 0))
);
ALTER TABLE ONLY checkrein.leaves ALTER COLUMN hashes SET STORAGE EXTERNAL;

ALTER TABLE ONLY checkrein.leaves FORCE ROW LEVEL SECURITY;

ALTER TABLE checkrein.leaves OWNER TO checkrein_owner;

ALTER TABLE checkrein.leaves ALTER COLUMN number ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME checkrein.leaves_number_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE checkrein.migration (
    name text NOT NULL,
    digest text NOT NULL,
    applied_at timestamp with time zone DEFAULT now() NOT NULL
);

ALTER TABLE checkrein.migration OWNER TO checkrein_owner;

CREATE TABLE checkrein.policy_version (
    number bigint NOT NULL,
    digest text NOT NULL COLLATE pg_catalog."C",
    commit_id text COLLATE pg_catalog."C",
    saved_at text NOT NULL COLLATE pg_catalog."C",
    files text NOT NULL
);

ALTER TABLE checkrein.policy_version OWNER TO checkrein_owner;

ALTER TABLE checkrein.policy_version ALTER COLUMN number ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME checkrein.policy_version_number_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE checkrein.project (
    id text NOT NULL COLLATE pg_catalog."C",
    name text NOT NULL COLLATE pg_catalog."C"
);

ALTER TABLE checkrein.project OWNER TO checkrein_owner;

CREATE TABLE checkrein.retention (
    sole boolean DEFAULT true NOT NULL,
    shortest_days integer NOT NULL,
    CONSTRAINT retention_shortest_days_check CHECK ((shortest_days > 0)),
    CONSTRAINT retention_sole_check CHECK (sole)
);

ALTER TABLE checkrein.retention OWNER TO checkrein_owner;

CREATE TABLE checkrein.run (
    project_id text NOT NULL COLLATE pg_catalog."C",
    run_id text NOT NULL COLLATE pg_catalog."C",
    run_day date NOT NULL,
    environment text NOT NULL COLLATE pg_catalog."C",
    started_at text NOT NULL COLLATE pg_catalog."C",
    last_at text NOT NULL COLLATE pg_catalog."C",
    name text,
    agent_id text COLLATE pg_catalog."C",
    user_id text,
    parent_run_id text,
    external_id text,
    status text NOT NULL COLLATE pg_catalog."C",
    ended_at text COLLATE pg_catalog."C",
    events bigint NOT NULL,
    actions bigint NOT NULL,
    blocked bigint NOT NULL,
    warned bigint NOT NULL,
    approvals bigint NOT NULL,
    errors bigint NOT NULL,
    halted boolean NOT NULL,
    spend text NOT NULL
)
WITH (fillfactor='80');

ALTER TABLE ONLY checkrein.run FORCE ROW LEVEL SECURITY;

ALTER TABLE checkrein.run OWNER TO checkrein_owner;

CREATE TABLE checkrein.run_cost (
    project_id text NOT NULL COLLATE pg_catalog."C",
    run_id text NOT NULL COLLATE pg_catalog."C",
    currency text NOT NULL COLLATE pg_catalog."C",
    amount bigint NOT NULL,
    run_day date NOT NULL
);

ALTER TABLE ONLY checkrein.run_cost FORCE ROW LEVEL SECURITY;

ALTER TABLE checkrein.run_cost OWNER TO checkrein_owner;

CREATE TABLE checkrein.run_fact (
    project_id text NOT NULL COLLATE pg_catalog."C",
    kind text NOT NULL COLLATE pg_catalog."C",
    value text NOT NULL COLLATE pg_catalog."C",
    started_at text NOT NULL COLLATE pg_catalog."C",
    run_id text NOT NULL COLLATE pg_catalog."C",
    run_day date NOT NULL
);

ALTER TABLE ONLY checkrein.run_fact FORCE ROW LEVEL SECURITY;

ALTER TABLE checkrein.run_fact OWNER TO checkrein_owner;

CREATE TABLE checkrein.run_secret (
    project_id text NOT NULL COLLATE pg_catalog."C",
    run_id text NOT NULL COLLATE pg_catalog."C",
    wrapped bytea NOT NULL,
    erased text
);

ALTER TABLE ONLY checkrein.run_secret FORCE ROW LEVEL SECURITY;

ALTER TABLE checkrein.run_secret OWNER TO checkrein_owner;

CREATE TABLE checkrein.witnessing (
    sole boolean DEFAULT true NOT NULL,
    worker text NOT NULL,
    until timestamp with time zone NOT NULL,
    CONSTRAINT witnessing_sole_check CHECK (sole)
);

ALTER TABLE checkrein.witnessing OWNER TO checkrein_owner;

CREATE TABLE checkrein.wrapped_key (
    project_id text NOT NULL COLLATE pg_catalog."C",
    subject bytea NOT NULL,
    wrapped bytea NOT NULL
);

ALTER TABLE ONLY checkrein.wrapped_key FORCE ROW LEVEL SECURITY;

ALTER TABLE checkrein.wrapped_key OWNER TO checkrein_owner;

ALTER TABLE ONLY checkrein.blob ATTACH PARTITION checkrein.blob_other DEFAULT;

ALTER TABLE ONLY checkrein.event ATTACH PARTITION checkrein.event_other DEFAULT;

ALTER TABLE ONLY checkrein.action
    ADD CONSTRAINT action_pkey PRIMARY KEY (project_id, decision_id, run_id, epoch, seq);

ALTER TABLE ONLY checkrein.api_key
    ADD CONSTRAINT api_key_pkey PRIMARY KEY (id);

ALTER TABLE ONLY checkrein.approval
    ADD CONSTRAINT approval_pkey PRIMARY KEY (project_id, approval_id);

ALTER TABLE ONLY checkrein.artifact
    ADD CONSTRAINT artifact_pkey PRIMARY KEY (project_id, run_id, epoch, seq);

ALTER TABLE ONLY checkrein.blob
    ADD CONSTRAINT blob_pkey PRIMARY KEY (project_id, run_day, run_id, key);

ALTER TABLE ONLY checkrein.blob_other
    ADD CONSTRAINT blob_other_pkey PRIMARY KEY (project_id, run_day, run_id, key);

ALTER TABLE ONLY checkrein.change
    ADD CONSTRAINT change_pkey PRIMARY KEY (sole);

ALTER TABLE ONLY checkrein.event
    ADD CONSTRAINT event_pkey PRIMARY KEY (project_id, run_day, run_id, seq, epoch);

ALTER TABLE ONLY checkrein.event_other
    ADD CONSTRAINT event_other_pkey PRIMARY KEY (project_id, run_day, run_id, seq, epoch);

ALTER TABLE ONLY checkrein.feed_end
    ADD CONSTRAINT feed_end_pkey PRIMARY KEY (project_id);

ALTER TABLE ONLY checkrein.feed
    ADD CONSTRAINT feed_pkey PRIMARY KEY (project_id, place);

ALTER TABLE ONLY checkrein.leaves
    ADD CONSTRAINT leaves_pkey PRIMARY KEY (number);

ALTER TABLE ONLY checkrein.leaves
    ADD CONSTRAINT leaves_project_id_first_key UNIQUE (project_id, first);

ALTER TABLE ONLY checkrein.migration
    ADD CONSTRAINT migration_pkey PRIMARY KEY (name);

ALTER TABLE ONLY checkrein.policy_version
    ADD CONSTRAINT policy_version_pkey PRIMARY KEY (digest);

ALTER TABLE ONLY checkrein.project
    ADD CONSTRAINT project_name_key UNIQUE (name);

ALTER TABLE ONLY checkrein.project
    ADD CONSTRAINT project_pkey PRIMARY KEY (id);

ALTER TABLE ONLY checkrein.retention
    ADD CONSTRAINT retention_pkey PRIMARY KEY (sole);

ALTER TABLE ONLY checkrein.run_cost
    ADD CONSTRAINT run_cost_pkey PRIMARY KEY (project_id, run_id, currency);

ALTER TABLE ONLY checkrein.run_fact
    ADD CONSTRAINT run_fact_pkey PRIMARY KEY (project_id, kind, value, started_at, run_id);

ALTER TABLE ONLY checkrein.run
    ADD CONSTRAINT run_pkey PRIMARY KEY (project_id, run_id);

ALTER TABLE ONLY checkrein.run_secret
    ADD CONSTRAINT run_secret_pkey PRIMARY KEY (project_id, run_id);

ALTER TABLE ONLY checkrein.witnessing
    ADD CONSTRAINT witnessing_pkey PRIMARY KEY (sole);

ALTER TABLE ONLY checkrein.wrapped_key
    ADD CONSTRAINT wrapped_key_pkey PRIMARY KEY (project_id, subject);

CREATE INDEX action_days ON checkrein.action USING brin (run_day);

CREATE INDEX action_judged ON checkrein.action USING btree (project_id, recorded_at, decision_id);

CREATE INDEX approval_requested ON checkrein.approval USING btree (project_id, requested_at, approval_id);

CREATE INDEX approval_status ON checkrein.approval USING btree (project_id, status, requested_at, approval_id);

CREATE INDEX artifact_action ON checkrein.artifact USING btree (project_id, action_id, recorded_at) WHERE (action_id IS NOT NULL);

CREATE INDEX artifact_agent ON checkrein.artifact USING btree (project_id, agent_id, recorded_at, run_id, epoch, seq) WHERE (agent_id IS NOT NULL);

CREATE INDEX artifact_days ON checkrein.artifact USING brin (run_day);

CREATE INDEX artifact_digest ON checkrein.artifact USING btree (project_id, digest, recorded_at, run_id, epoch, seq) WHERE (digest IS NOT NULL);

CREATE INDEX artifact_path ON checkrein.artifact USING btree (project_id, path, recorded_at, run_id, epoch, seq) WHERE (path IS NOT NULL);

CREATE INDEX artifact_recorded ON checkrein.artifact USING btree (project_id, recorded_at, run_id, epoch, seq);

CREATE INDEX event_epoch ON ONLY checkrein.event USING btree (project_id, run_day, run_id, epoch, seq) WHERE (epoch > 0);

CREATE INDEX event_feedback ON ONLY checkrein.event USING btree (project_id, run_day, run_id, epoch, seq) WHERE (type = 'feedback'::text);

CREATE INDEX event_other_project_id_run_day_run_id_epoch_seq_idx ON checkrein.event_other USING btree (project_id, run_day, run_id, epoch, seq) WHERE (epoch > 0);

CREATE INDEX event_other_project_id_run_day_run_id_epoch_seq_idx1 ON checkrein.event_other USING btree (project_id, run_day, run_id, epoch, seq) WHERE (type = 'feedback'::text);

CREATE INDEX feed_made ON checkrein.feed USING brin (made_at);

CREATE INDEX leaves_unplaced ON checkrein.leaves USING btree (number) WHERE (first IS NULL);

CREATE INDEX run_agent ON checkrein.run USING btree (project_id, agent_id, started_at, run_id);

CREATE INDEX run_cost_days ON checkrein.run_cost USING brin (run_day);

CREATE INDEX run_days ON checkrein.run USING brin (run_day);

CREATE INDEX run_environment ON checkrein.run USING btree (project_id, environment, started_at, run_id);

CREATE INDEX run_fact_days ON checkrein.run_fact USING brin (run_day);

CREATE INDEX run_fact_of_run ON checkrein.run_fact USING btree (project_id, run_id);

CREATE INDEX run_parent ON checkrein.run USING btree (project_id, parent_run_id, started_at, run_id) WHERE (parent_run_id IS NOT NULL);

CREATE INDEX run_started ON checkrein.run USING btree (project_id, started_at, run_id);

CREATE INDEX run_status ON checkrein.run USING btree (project_id, status, started_at, run_id);

ALTER INDEX checkrein.blob_pkey ATTACH PARTITION checkrein.blob_other_pkey;

ALTER INDEX checkrein.event_pkey ATTACH PARTITION checkrein.event_other_pkey;

ALTER INDEX checkrein.event_epoch ATTACH PARTITION checkrein.event_other_project_id_run_day_run_id_epoch_seq_idx;

ALTER INDEX checkrein.event_feedback ATTACH PARTITION checkrein.event_other_project_id_run_day_run_id_epoch_seq_idx1;

CREATE TRIGGER announced AFTER INSERT OR DELETE OR UPDATE ON checkrein.api_key FOR EACH ROW EXECUTE FUNCTION checkrein.announce();

CREATE TRIGGER announced AFTER INSERT OR DELETE OR UPDATE ON checkrein.project FOR EACH ROW EXECUTE FUNCTION checkrein.announce();

ALTER TABLE checkrein.action ENABLE ROW LEVEL SECURITY;

ALTER TABLE checkrein.api_key ENABLE ROW LEVEL SECURITY;

ALTER TABLE checkrein.approval ENABLE ROW LEVEL SECURITY;

ALTER TABLE checkrein.artifact ENABLE ROW LEVEL SECURITY;

ALTER TABLE checkrein.blob ENABLE ROW LEVEL SECURITY;

ALTER TABLE checkrein.blob_other ENABLE ROW LEVEL SECURITY;

CREATE POLICY counting ON checkrein.feed_end FOR UPDATE TO checkrein_worker USING (true) WITH CHECK (true);

ALTER TABLE checkrein.event ENABLE ROW LEVEL SECURITY;

ALTER TABLE checkrein.event_other ENABLE ROW LEVEL SECURITY;

ALTER TABLE checkrein.feed ENABLE ROW LEVEL SECURITY;

ALTER TABLE checkrein.feed_end ENABLE ROW LEVEL SECURITY;

CREATE POLICY giving_places ON checkrein.leaves FOR UPDATE TO checkrein_worker USING ((first IS NULL)) WITH CHECK ((first IS NOT NULL));

CREATE POLICY inside ON checkrein.action TO checkrein_owner USING ((( SELECT current_setting('checkrein.inside'::text, true) AS current_setting) = 'on'::text));

CREATE POLICY inside ON checkrein.api_key TO checkrein_owner USING ((( SELECT current_setting('checkrein.inside'::text, true) AS current_setting) = 'on'::text));

CREATE POLICY inside ON checkrein.approval TO checkrein_owner USING ((( SELECT current_setting('checkrein.inside'::text, true) AS current_setting) = 'on'::text));

CREATE POLICY inside ON checkrein.artifact TO checkrein_owner USING ((( SELECT current_setting('checkrein.inside'::text, true) AS current_setting) = 'on'::text));

CREATE POLICY inside ON checkrein.blob TO checkrein_owner USING ((( SELECT current_setting('checkrein.inside'::text, true) AS current_setting) = 'on'::text));

CREATE POLICY inside ON checkrein.event TO checkrein_owner USING ((( SELECT current_setting('checkrein.inside'::text, true) AS current_setting) = 'on'::text));

CREATE POLICY inside ON checkrein.feed TO checkrein_owner USING ((( SELECT current_setting('checkrein.inside'::text, true) AS current_setting) = 'on'::text));

CREATE POLICY inside ON checkrein.feed_end TO checkrein_owner USING ((( SELECT current_setting('checkrein.inside'::text, true) AS current_setting) = 'on'::text));

CREATE POLICY inside ON checkrein.leaves TO checkrein_owner USING ((( SELECT current_setting('checkrein.inside'::text, true) AS current_setting) = 'on'::text));

CREATE POLICY inside ON checkrein.run TO checkrein_owner USING ((( SELECT current_setting('checkrein.inside'::text, true) AS current_setting) = 'on'::text));

CREATE POLICY inside ON checkrein.run_cost TO checkrein_owner USING ((( SELECT current_setting('checkrein.inside'::text, true) AS current_setting) = 'on'::text));

CREATE POLICY inside ON checkrein.run_fact TO checkrein_owner USING ((( SELECT current_setting('checkrein.inside'::text, true) AS current_setting) = 'on'::text));

CREATE POLICY inside ON checkrein.run_secret TO checkrein_owner USING ((( SELECT current_setting('checkrein.inside'::text, true) AS current_setting) = 'on'::text));

CREATE POLICY inside ON checkrein.wrapped_key TO checkrein_owner USING ((( SELECT current_setting('checkrein.inside'::text, true) AS current_setting) = 'on'::text));

ALTER TABLE checkrein.leaves ENABLE ROW LEVEL SECURITY;

CREATE POLICY projecting ON checkrein.approval FOR UPDATE TO checkrein_worker USING (true) WITH CHECK (true);

CREATE POLICY projecting ON checkrein.run FOR UPDATE TO checkrein_worker USING (true) WITH CHECK (true);

CREATE POLICY projecting ON checkrein.run_cost FOR UPDATE TO checkrein_worker USING (true) WITH CHECK (true);

CREATE POLICY reading ON checkrein.action FOR SELECT TO checkrein_worker USING (true);

CREATE POLICY reading ON checkrein.approval FOR SELECT TO checkrein_worker USING (true);

CREATE POLICY reading ON checkrein.artifact FOR SELECT TO checkrein_worker USING (true);

CREATE POLICY reading ON checkrein.blob FOR SELECT TO checkrein_worker USING (true);

CREATE POLICY reading ON checkrein.event FOR SELECT TO checkrein_worker USING (true);

CREATE POLICY reading ON checkrein.feed FOR SELECT TO checkrein_worker USING (true);

CREATE POLICY reading ON checkrein.feed_end FOR SELECT TO checkrein_worker USING (true);

CREATE POLICY reading ON checkrein.leaves FOR SELECT TO checkrein_worker USING (true);

CREATE POLICY reading ON checkrein.run FOR SELECT TO checkrein_worker USING (true);

CREATE POLICY reading ON checkrein.run_cost FOR SELECT TO checkrein_worker USING (true);

CREATE POLICY reading ON checkrein.run_fact FOR SELECT TO checkrein_worker USING (true);

CREATE POLICY reading ON checkrein.run_secret FOR SELECT TO checkrein_worker USING (true);

CREATE POLICY recording ON checkrein.action FOR INSERT TO checkrein_worker WITH CHECK (true);

CREATE POLICY recording ON checkrein.approval FOR INSERT TO checkrein_worker WITH CHECK (true);

CREATE POLICY recording ON checkrein.artifact FOR INSERT TO checkrein_worker WITH CHECK (true);

CREATE POLICY recording ON checkrein.blob FOR INSERT TO checkrein_worker WITH CHECK (true);

CREATE POLICY recording ON checkrein.event FOR INSERT TO checkrein_worker WITH CHECK (true);

CREATE POLICY recording ON checkrein.feed FOR INSERT TO checkrein_worker WITH CHECK (true);

CREATE POLICY recording ON checkrein.feed_end FOR INSERT TO checkrein_worker WITH CHECK (true);

CREATE POLICY recording ON checkrein.leaves FOR INSERT TO checkrein_worker WITH CHECK ((first IS NULL));

CREATE POLICY recording ON checkrein.run FOR INSERT TO checkrein_worker WITH CHECK (true);

CREATE POLICY recording ON checkrein.run_cost FOR INSERT TO checkrein_worker WITH CHECK (true);

CREATE POLICY recording ON checkrein.run_fact FOR INSERT TO checkrein_worker WITH CHECK (true);

CREATE POLICY recording ON checkrein.run_secret FOR INSERT TO checkrein_worker WITH CHECK (true);

ALTER TABLE checkrein.run ENABLE ROW LEVEL SECURITY;

ALTER TABLE checkrein.run_cost ENABLE ROW LEVEL SECURITY;

ALTER TABLE checkrein.run_fact ENABLE ROW LEVEL SECURITY;

ALTER TABLE checkrein.run_secret ENABLE ROW LEVEL SECURITY;

CREATE POLICY tenant ON checkrein.action FOR SELECT TO checkrein_gateway USING ((project_id = (( SELECT (current_setting('checkrein.project'::text))::checkrein.tenant AS current_setting))::text));

CREATE POLICY tenant ON checkrein.api_key FOR INSERT TO checkrein_gateway WITH CHECK ((project_id = (( SELECT (current_setting('checkrein.project'::text))::checkrein.tenant AS current_setting))::text));

CREATE POLICY tenant ON checkrein.approval FOR SELECT TO checkrein_gateway USING ((project_id = (( SELECT (current_setting('checkrein.project'::text))::checkrein.tenant AS current_setting))::text));

CREATE POLICY tenant ON checkrein.artifact FOR SELECT TO checkrein_gateway USING ((project_id = (( SELECT (current_setting('checkrein.project'::text))::checkrein.tenant AS current_setting))::text));

CREATE POLICY tenant ON checkrein.blob FOR SELECT TO checkrein_gateway USING ((project_id = (( SELECT (current_setting('checkrein.project'::text))::checkrein.tenant AS current_setting))::text));

CREATE POLICY tenant ON checkrein.event FOR SELECT TO checkrein_gateway USING ((project_id = (( SELECT (current_setting('checkrein.project'::text))::checkrein.tenant AS current_setting))::text));

CREATE POLICY tenant ON checkrein.feed FOR SELECT TO checkrein_gateway USING ((project_id = (( SELECT (current_setting('checkrein.project'::text))::checkrein.tenant AS current_setting))::text));

CREATE POLICY tenant ON checkrein.feed_end FOR SELECT TO checkrein_gateway USING ((project_id = (( SELECT (current_setting('checkrein.project'::text))::checkrein.tenant AS current_setting))::text));

CREATE POLICY tenant ON checkrein.leaves FOR SELECT TO checkrein_gateway USING ((project_id = (( SELECT (current_setting('checkrein.project'::text))::checkrein.tenant AS current_setting))::text));

CREATE POLICY tenant ON checkrein.run FOR SELECT TO checkrein_gateway USING ((project_id = (( SELECT (current_setting('checkrein.project'::text))::checkrein.tenant AS current_setting))::text));

CREATE POLICY tenant ON checkrein.run_cost FOR SELECT TO checkrein_gateway USING ((project_id = (( SELECT (current_setting('checkrein.project'::text))::checkrein.tenant AS current_setting))::text));

CREATE POLICY tenant ON checkrein.run_fact FOR SELECT TO checkrein_gateway USING ((project_id = (( SELECT (current_setting('checkrein.project'::text))::checkrein.tenant AS current_setting))::text));

CREATE POLICY tenant ON checkrein.run_secret FOR SELECT TO checkrein_gateway USING ((project_id = (( SELECT (current_setting('checkrein.project'::text))::checkrein.tenant AS current_setting))::text));

CREATE POLICY tenant_adding ON checkrein.wrapped_key FOR INSERT TO checkrein_gateway, checkrein_worker WITH CHECK ((project_id = (( SELECT (current_setting('checkrein.project'::text))::checkrein.tenant AS current_setting))::text));

CREATE POLICY tenant_reading ON checkrein.wrapped_key FOR SELECT TO checkrein_gateway, checkrein_worker USING ((project_id = (( SELECT (current_setting('checkrein.project'::text))::checkrein.tenant AS current_setting))::text));

ALTER TABLE checkrein.wrapped_key ENABLE ROW LEVEL SECURITY;

GRANT USAGE ON SCHEMA checkrein TO checkrein_gateway;
GRANT USAGE ON SCHEMA checkrein TO checkrein_worker;

REVOKE ALL ON FUNCTION checkrein.announce() FROM PUBLIC;

REVOKE ALL ON FUNCTION checkrein.destroy_keys(project text, whose bytea) FROM PUBLIC;
GRANT ALL ON FUNCTION checkrein.destroy_keys(project text, whose bytea) TO checkrein_gateway;

REVOKE ALL ON FUNCTION checkrein.drop_day(day date) FROM PUBLIC;

REVOKE ALL ON FUNCTION checkrein.erase_runs(project text, runs text[], note text) FROM PUBLIC;
GRANT ALL ON FUNCTION checkrein.erase_runs(project text, runs text[], note text) TO checkrein_gateway;

REVOKE ALL ON FUNCTION checkrein.expire_key(key_id text, at text) FROM PUBLIC;
GRANT ALL ON FUNCTION checkrein.expire_key(key_id text, at text) TO checkrein_gateway;

GRANT INSERT ON TABLE checkrein.api_key TO checkrein_gateway;

REVOKE ALL ON FUNCTION checkrein.keys() FROM PUBLIC;
GRANT ALL ON FUNCTION checkrein.keys() TO checkrein_gateway;

REVOKE ALL ON FUNCTION checkrein.maintain(keep_days integer, ahead_days integer, OUT made integer, OUT dropped integer) FROM PUBLIC;
GRANT ALL ON FUNCTION checkrein.maintain(keep_days integer, ahead_days integer, OUT made integer, OUT dropped integer) TO checkrein_worker;

REVOKE ALL ON FUNCTION checkrein.make_day(day date) FROM PUBLIC;
GRANT ALL ON FUNCTION checkrein.make_day(day date) TO checkrein_worker;

REVOKE ALL ON FUNCTION checkrein.project_named(wanted text, fresh text) FROM PUBLIC;
GRANT ALL ON FUNCTION checkrein.project_named(wanted text, fresh text) TO checkrein_gateway;

REVOKE ALL ON FUNCTION checkrein.revoke_key(key_id text, at text) FROM PUBLIC;
GRANT ALL ON FUNCTION checkrein.revoke_key(key_id text, at text) TO checkrein_gateway;

REVOKE ALL ON FUNCTION checkrein.trim_feed(keep interval) FROM PUBLIC;
GRANT ALL ON FUNCTION checkrein.trim_feed(keep interval) TO checkrein_worker;

REVOKE ALL ON FUNCTION checkrein.unfile(project text, run text) FROM PUBLIC;
GRANT ALL ON FUNCTION checkrein.unfile(project text, run text) TO checkrein_worker;

GRANT SELECT ON TABLE checkrein.action TO checkrein_gateway;
GRANT SELECT,INSERT ON TABLE checkrein.action TO checkrein_worker;

GRANT SELECT ON TABLE checkrein.approval TO checkrein_gateway;
GRANT SELECT,INSERT ON TABLE checkrein.approval TO checkrein_worker;

GRANT UPDATE(run_id) ON TABLE checkrein.approval TO checkrein_worker;

GRANT UPDATE(environment) ON TABLE checkrein.approval TO checkrein_worker;

GRANT UPDATE(action_id) ON TABLE checkrein.approval TO checkrein_worker;

GRANT UPDATE(decision_id) ON TABLE checkrein.approval TO checkrein_worker;

GRANT UPDATE(tool) ON TABLE checkrein.approval TO checkrein_worker;

GRANT UPDATE(arguments_digest) ON TABLE checkrein.approval TO checkrein_worker;

GRANT UPDATE(policy_digest) ON TABLE checkrein.approval TO checkrein_worker;

GRANT UPDATE(rules) ON TABLE checkrein.approval TO checkrein_worker;

GRANT UPDATE(requested_at) ON TABLE checkrein.approval TO checkrein_worker;

GRANT UPDATE(expires_at) ON TABLE checkrein.approval TO checkrein_worker;

GRANT UPDATE(status) ON TABLE checkrein.approval TO checkrein_worker;

GRANT SELECT ON TABLE checkrein.artifact TO checkrein_gateway;
GRANT SELECT,INSERT ON TABLE checkrein.artifact TO checkrein_worker;

GRANT SELECT ON TABLE checkrein.blob TO checkrein_gateway;
GRANT SELECT,INSERT ON TABLE checkrein.blob TO checkrein_worker;

GRANT SELECT ON TABLE checkrein.change TO checkrein_gateway;

GRANT SELECT ON TABLE checkrein.event TO checkrein_gateway;
GRANT SELECT,INSERT ON TABLE checkrein.event TO checkrein_worker;

GRANT SELECT ON TABLE checkrein.feed TO checkrein_gateway;
GRANT SELECT,INSERT ON TABLE checkrein.feed TO checkrein_worker;

GRANT SELECT ON TABLE checkrein.feed_end TO checkrein_gateway;
GRANT SELECT,INSERT ON TABLE checkrein.feed_end TO checkrein_worker;

GRANT UPDATE(place) ON TABLE checkrein.feed_end TO checkrein_worker;

GRANT SELECT ON TABLE checkrein.leaves TO checkrein_gateway;
GRANT SELECT ON TABLE checkrein.leaves TO checkrein_worker;

GRANT INSERT(project_id) ON TABLE checkrein.leaves TO checkrein_worker;

GRANT UPDATE(first) ON TABLE checkrein.leaves TO checkrein_worker;

GRANT INSERT(count) ON TABLE checkrein.leaves TO checkrein_worker;

GRANT INSERT(hashes) ON TABLE checkrein.leaves TO checkrein_worker;

GRANT SELECT ON TABLE checkrein.migration TO checkrein_gateway;
GRANT SELECT ON TABLE checkrein.migration TO checkrein_worker;

GRANT SELECT,INSERT ON TABLE checkrein.policy_version TO checkrein_gateway;

GRANT SELECT ON TABLE checkrein.run TO checkrein_gateway;
GRANT SELECT,INSERT ON TABLE checkrein.run TO checkrein_worker;

GRANT UPDATE(environment) ON TABLE checkrein.run TO checkrein_worker;

GRANT UPDATE(started_at) ON TABLE checkrein.run TO checkrein_worker;

GRANT UPDATE(last_at) ON TABLE checkrein.run TO checkrein_worker;

GRANT UPDATE(name) ON TABLE checkrein.run TO checkrein_worker;

GRANT UPDATE(agent_id) ON TABLE checkrein.run TO checkrein_worker;

GRANT UPDATE(user_id) ON TABLE checkrein.run TO checkrein_worker;

GRANT UPDATE(parent_run_id) ON TABLE checkrein.run TO checkrein_worker;

GRANT UPDATE(external_id) ON TABLE checkrein.run TO checkrein_worker;

GRANT UPDATE(status) ON TABLE checkrein.run TO checkrein_worker;

GRANT UPDATE(ended_at) ON TABLE checkrein.run TO checkrein_worker;

GRANT UPDATE(events) ON TABLE checkrein.run TO checkrein_worker;

GRANT UPDATE(actions) ON TABLE checkrein.run TO checkrein_worker;

GRANT UPDATE(blocked) ON TABLE checkrein.run TO checkrein_worker;

GRANT UPDATE(warned) ON TABLE checkrein.run TO checkrein_worker;

GRANT UPDATE(approvals) ON TABLE checkrein.run TO checkrein_worker;

GRANT UPDATE(errors) ON TABLE checkrein.run TO checkrein_worker;

GRANT UPDATE(halted) ON TABLE checkrein.run TO checkrein_worker;

GRANT UPDATE(spend) ON TABLE checkrein.run TO checkrein_worker;

GRANT SELECT ON TABLE checkrein.run_cost TO checkrein_gateway;
GRANT SELECT,INSERT ON TABLE checkrein.run_cost TO checkrein_worker;

GRANT UPDATE(amount) ON TABLE checkrein.run_cost TO checkrein_worker;

GRANT SELECT ON TABLE checkrein.run_fact TO checkrein_gateway;
GRANT SELECT,INSERT ON TABLE checkrein.run_fact TO checkrein_worker;

GRANT SELECT ON TABLE checkrein.run_secret TO checkrein_gateway;
GRANT SELECT,INSERT ON TABLE checkrein.run_secret TO checkrein_worker;

GRANT SELECT ON TABLE checkrein.witnessing TO checkrein_worker;

GRANT INSERT(worker),UPDATE(worker) ON TABLE checkrein.witnessing TO checkrein_worker;

GRANT INSERT(until),UPDATE(until) ON TABLE checkrein.witnessing TO checkrein_worker;

GRANT SELECT,INSERT ON TABLE checkrein.wrapped_key TO checkrein_gateway;
GRANT SELECT,INSERT ON TABLE checkrein.wrapped_key TO checkrein_worker;
