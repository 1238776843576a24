-- What is filed of one run, for verification and for filing it again.

CREATE INDEX run_fact_of_run ON checkrein.run_fact (project_id, run_id);

-- What a run is found by follows from its events, so it may be forgotten by one who files it again.
CREATE FUNCTION checkrein.unfile(project text, run text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM set_config('checkrein.inside', 'on', true);
    DELETE FROM checkrein.run_fact WHERE project_id = project AND run_id = run;
    DELETE FROM checkrein.run_cost WHERE project_id = project AND run_id = run;
    DELETE FROM checkrein.artifact WHERE project_id = project AND run_id = run;
    PERFORM set_config('checkrein.inside', 'off', true);
END
$$;

REVOKE ALL ON FUNCTION checkrein.unfile(text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION checkrein.unfile(text, text) TO checkrein_worker;
