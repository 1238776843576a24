-- A decision's record is about three kilobytes. Such a one stays with its row, two to a page: cut up
-- beside it, as the server does above two kilobytes, it cost two rows and two index entries more.
-- What was recorded before stays as it is.

CREATE OR REPLACE FUNCTION checkrein.make_day(day date) RETURNS boolean
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
$$;

DO $$
DECLARE
    part regclass;
BEGIN
    FOR part IN SELECT inhrelid FROM pg_inherits WHERE inhparent = 'checkrein.event'::regclass LOOP
        EXECUTE format('ALTER TABLE %s SET (toast_tuple_target = 4080)', part);
    END LOOP;
END
$$;
