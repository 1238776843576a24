-- The order in which the events of a project were committed, for those who follow it live.
--
-- A row for each transaction and project, in arrays: a stretch of events for each run. `place` is
-- that of the last of them, counted from 1 without a gap. The places of a project are given out by
-- its row in feed_end, which stays locked until the transaction has ended: whoever sees a place
-- sees all before it. (A sequence would not do: its numbers become visible in another order.)

CREATE TABLE checkrein.feed_end (
    project_id text COLLATE "C" PRIMARY KEY,
    place bigint NOT NULL
) WITH (fillfactor = 50);

CREATE TABLE checkrein.feed (
    project_id text COLLATE "C" NOT NULL,
    place bigint NOT NULL,
    events integer NOT NULL CHECK (events > 0),
    made_at timestamptz NOT NULL DEFAULT now(),
    run_ids text[] COLLATE "C" NOT NULL,
    run_days date[] NOT NULL,
    epochs integer[] NOT NULL,
    first_seqs bigint[] NOT NULL,
    counts integer[] NOT NULL,
    PRIMARY KEY (project_id, place)
);

CREATE INDEX feed_made ON checkrein.feed USING brin (made_at);

DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['feed', 'feed_end'] LOOP
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

CREATE POLICY counting ON checkrein.feed_end FOR UPDATE TO checkrein_worker
    USING (true) WITH CHECK (true);
GRANT UPDATE (place) ON checkrein.feed_end TO checkrein_worker;

-- Forget what nobody goes on from any more; the events themselves stay. A day at least is kept,
-- whoever asks. Returns how many rows went.
CREATE FUNCTION checkrein.trim_feed(keep interval) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
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

REVOKE ALL ON FUNCTION checkrein.trim_feed(interval) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION checkrein.trim_feed(interval) TO checkrein_worker;
