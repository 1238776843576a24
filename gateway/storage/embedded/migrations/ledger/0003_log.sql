-- A project's log in commit order: the leaves of its Merkle tree are the hashes of its events. The
-- trigger writes in the event's own transaction, and the ledger has one writer, so there is neither
-- a gap nor another order.

CREATE TABLE leaf (
    project_id TEXT NOT NULL,
    place INTEGER NOT NULL CHECK (place >= 0),
    hash BLOB NOT NULL CHECK (length(hash) = 32),
    PRIMARY KEY (project_id, place)
) STRICT, WITHOUT ROWID;

INSERT INTO leaf (project_id, place, hash)
SELECT project_id, row_number() OVER (PARTITION BY project_id ORDER BY rowid) - 1, hash FROM event;

CREATE TRIGGER event_logged AFTER INSERT ON event
BEGIN
    INSERT INTO leaf (project_id, place, hash) VALUES (
        NEW.project_id,
        coalesce((SELECT max(place) + 1 FROM leaf WHERE project_id = NEW.project_id), 0),
        NEW.hash
    );
END;
