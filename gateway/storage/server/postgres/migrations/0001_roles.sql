-- Who may do what. The role that migrates owns everything and serves nobody; gateways and workers
-- log in as the two roles below, or as members of one of them. Neither may pass row-level security.
-- A role that exists already is taken as it is, so that an operator may make them beforehand.
DO $$
DECLARE
    wanted text;
BEGIN
    FOREACH wanted IN ARRAY ARRAY['checkrein_gateway', 'checkrein_worker'] LOOP
        BEGIN
            IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = wanted) THEN
                EXECUTE format('CREATE ROLE %I LOGIN', wanted);
            END IF;
        EXCEPTION WHEN duplicate_object OR unique_violation THEN
            NULL;  -- Another database of this server was migrated at the same moment.
        END;
        IF EXISTS (
            SELECT FROM pg_roles WHERE rolname = wanted AND (rolsuper OR rolbypassrls)
        ) THEN
            RAISE EXCEPTION 'the role % passes row-level security', wanted;
        END IF;
    END LOOP;
END
$$;

GRANT USAGE ON SCHEMA checkrein TO checkrein_gateway, checkrein_worker;
GRANT SELECT ON checkrein.migration TO checkrein_gateway, checkrein_worker;

-- The project a transaction speaks for. A setting that was never made is an error; one that ended
-- with its transaction is '', which this type refuses: either way nothing is shown.
CREATE DOMAIN checkrein.tenant AS text COLLATE "C" CHECK (VALUE <> '');
