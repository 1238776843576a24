-- The newest decisions of a project, and what people said of them, found without going run by run.

CREATE INDEX event_judged ON event (project_id, recorded_at, decision_id) WHERE type = 'decision';

CREATE INDEX event_feedback ON event (project_id, run_id, epoch, seq) WHERE type = 'feedback';
