-- Partitions by day: made ahead, dropped behind. Functions of the owner, which a worker may call.

-- What a retention may not go below, whoever asks. Only the owner changes it.
CREATE TABLE checkrein.retention (
    sole boolean PRIMARY KEY DEFAULT true CHECK (sole),
    shortest_days integer NOT NULL CHECK (shortest_days > 0)
);

INSERT INTO checkrein.retention (shortest_days) VALUES (30);

-- Whether the day has partitions of its own now. A day far away stays in the partition for all
-- others, so that wrong clocks do not make thousands; so does a day of which rows are there already.
CREATE FUNCTION checkrein.make_day(day date) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
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
$$;

-- Everything of the runs that began on a day, events and content with it.
CREATE FUNCTION checkrein.drop_day(day date) RETURNS void
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
    DELETE FROM checkrein.action WHERE run_day = day;
    DELETE FROM checkrein.run WHERE run_day = day;
END
$$;

-- Make the days ahead; drop those behind, when a retention is given, whose runs have all been
-- silent for that long. Returns how many days have partitions ahead, and how many were dropped.
CREATE FUNCTION checkrein.maintain(
    keep_days integer DEFAULT NULL, ahead_days integer DEFAULT 7,
    OUT made integer, OUT dropped integer
)
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
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
$$;

REVOKE ALL ON checkrein.retention FROM PUBLIC;
REVOKE ALL ON FUNCTION checkrein.make_day(date) FROM PUBLIC;
REVOKE ALL ON FUNCTION checkrein.drop_day(date) FROM PUBLIC;
REVOKE ALL ON FUNCTION checkrein.maintain(integer, integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION checkrein.make_day(date) TO checkrein_worker;
GRANT EXECUTE ON FUNCTION checkrein.maintain(integer, integer) TO checkrein_worker;
