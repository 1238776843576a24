-- How often keys of content were destroyed: then every gateway lets go of those in its memory.

ALTER TABLE change ADD COLUMN erasures INTEGER NOT NULL DEFAULT 0;
