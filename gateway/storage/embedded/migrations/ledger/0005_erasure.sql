-- A secret that was destroyed leaves an empty one behind, which none can take the place of, and says
-- when, with what and by whom it was.

ALTER TABLE run_secret ADD COLUMN erased TEXT;
