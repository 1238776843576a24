-- In which row of the log an event's hash is, so that its place is found without reading the log.
-- Events of earlier releases say nothing, and are looked for.

ALTER TABLE checkrein.event ADD COLUMN leaves bigint;
