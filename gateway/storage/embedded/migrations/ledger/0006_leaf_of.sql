-- Where each event's hash stands in the log, found by the event: rows come in the order of their key,
-- where an index of hashes would write a page anywhere for every event.

CREATE TABLE leaf_of (
    event INTEGER PRIMARY KEY,
    place INTEGER NOT NULL
) STRICT;

INSERT INTO leaf_of (event, place)
SELECT rowid, row_number() OVER (PARTITION BY project_id ORDER BY rowid) - 1 FROM event;

DROP TRIGGER event_logged;

CREATE TRIGGER event_logged AFTER INSERT ON event
BEGIN
    INSERT INTO leaf (project_id, place, hash) VALUES (
        NEW.project_id,
        coalesce((SELECT max(place) + 1 FROM leaf WHERE project_id = NEW.project_id), 0),
        NEW.hash
    );
    INSERT INTO leaf_of (event, place)
    SELECT NEW.rowid, max(place) FROM leaf WHERE project_id = NEW.project_id;
END;
