-- The newest decisions of a project, and what people said of them, found without going run by run.

CREATE INDEX action_judged ON checkrein.action (project_id, recorded_at, decision_id);

CREATE INDEX event_feedback ON checkrein.event (project_id, run_day, run_id, epoch, seq)
    WHERE type = 'feedback';
