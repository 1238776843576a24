-- Erasure, and the log of each project.
--
-- A secret that was destroyed leaves an empty one behind, which none can take the place of, and says
-- when, with what and by whom it was.

ALTER TABLE checkrein.run_secret ADD COLUMN erased text;

-- How often keys of content were destroyed: then every gateway lets go of those in its memory.
ALTER TABLE checkrein.change ADD COLUMN erasures bigint NOT NULL DEFAULT 0;

-- A gateway changes nothing in the record but this: it empties secrets of the project it speaks for.
CREATE FUNCTION checkrein.erase_runs(project text, runs text[], note text) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
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

CREATE POLICY inside ON checkrein.wrapped_key TO CURRENT_USER
    USING ((SELECT current_setting('checkrein.inside', true)) = 'on');

-- The key of one subject, or all of a project's where none is named.
CREATE FUNCTION checkrein.destroy_keys(project text, whose bytea) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
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

REVOKE ALL ON FUNCTION checkrein.erase_runs(text, text[], text) FROM PUBLIC;
REVOKE ALL ON FUNCTION checkrein.destroy_keys(text, bytea) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION checkrein.erase_runs(text, text[], text),
    checkrein.destroy_keys(text, bytea) TO checkrein_gateway;

-- The leaves of a project's Merkle tree: the hashes of its events, as many as a batch stored, in
-- one row. It is written in the events' own transaction, without a place; then one writer gives the
-- rows their places, one behind the other, and a place is given once.
CREATE TABLE checkrein.leaves (
    number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    project_id text COLLATE "C" NOT NULL,
    first bigint CHECK (first >= 0),
    count integer NOT NULL CHECK (count > 0),
    hashes bytea NOT NULL CHECK (length(hashes) = 32 * count),
    UNIQUE (project_id, first)
);

ALTER TABLE checkrein.leaves ALTER COLUMN hashes SET STORAGE EXTERNAL;
CREATE INDEX leaves_unplaced ON checkrein.leaves (number) WHERE first IS NULL;

ALTER TABLE checkrein.leaves ENABLE ROW LEVEL SECURITY;
ALTER TABLE checkrein.leaves FORCE ROW LEVEL SECURITY;
REVOKE ALL ON checkrein.leaves FROM PUBLIC;
CREATE POLICY tenant ON checkrein.leaves FOR SELECT TO checkrein_gateway
    USING (project_id = (SELECT current_setting('checkrein.project')::checkrein.tenant));
CREATE POLICY reading ON checkrein.leaves FOR SELECT TO checkrein_worker USING (true);
CREATE POLICY recording ON checkrein.leaves FOR INSERT TO checkrein_worker
    WITH CHECK (first IS NULL);
CREATE POLICY giving_places ON checkrein.leaves FOR UPDATE TO checkrein_worker
    USING (first IS NULL) WITH CHECK (first IS NOT NULL);
CREATE POLICY inside ON checkrein.leaves TO CURRENT_USER
    USING ((SELECT current_setting('checkrein.inside', true)) = 'on');
GRANT SELECT ON checkrein.leaves TO checkrein_gateway, checkrein_worker;
GRANT INSERT (project_id, count, hashes) ON checkrein.leaves TO checkrein_worker;
GRANT UPDATE (first) ON checkrein.leaves TO checkrein_worker;

-- What was recorded before there was a log, run by run in the order in which they began.
SELECT set_config('checkrein.inside', 'on', true);
INSERT INTO checkrein.leaves (project_id, count, hashes)
    SELECT r.project_id, e.count, e.hashes
    FROM checkrein.run AS r,
        LATERAL (
            SELECT count(*)::integer AS count, string_agg(hash, '' ORDER BY epoch, seq) AS hashes
            FROM checkrein.event
            WHERE project_id = r.project_id AND run_day = r.run_day AND run_id = r.run_id
        ) AS e
    WHERE e.count > 0
    ORDER BY r.started_at, r.run_id;
SELECT set_config('checkrein.inside', 'off', true);
