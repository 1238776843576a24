-- Which worker tells witnesses how the logs stand, and until when nobody else does. Should two do it
-- all the same, witnesses hear the same thing twice.

CREATE TABLE checkrein.witnessing (
    sole boolean PRIMARY KEY DEFAULT true CHECK (sole),
    worker text NOT NULL,
    until timestamptz NOT NULL
);

REVOKE ALL ON checkrein.witnessing FROM PUBLIC;
GRANT SELECT, INSERT (worker, until), UPDATE (worker, until) ON checkrein.witnessing TO checkrein_worker;
