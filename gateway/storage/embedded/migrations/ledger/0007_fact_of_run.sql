-- What is filed of one run, for verification and for filing it again.

CREATE INDEX fact_of_run ON run_fact (project_id, run_id);
