-- Projects, API keys, wrapped encryption keys and policy versions.

CREATE TABLE checkrein.project (
    id text COLLATE "C" PRIMARY KEY,
    name text COLLATE "C" NOT NULL UNIQUE
);

-- API keys: never the key, only a keyed digest of it.
CREATE TABLE checkrein.api_key (
    id text COLLATE "C" PRIMARY KEY,
    project_id text COLLATE "C" NOT NULL,
    environment text COLLATE "C" NOT NULL,
    name text COLLATE "C" NOT NULL,
    digest bytea NOT NULL,
    scopes text COLLATE "C" NOT NULL,
    created_at text COLLATE "C" NOT NULL,
    agent_id text COLLATE "C",
    expires_at text COLLATE "C",
    revoked_at text COLLATE "C"
);

-- Encryption keys, wrapped by the key above. `subject` is '' for the project's own key; those of
-- the installation itself stand under the project '*'.
CREATE TABLE checkrein.wrapped_key (
    project_id text COLLATE "C" NOT NULL,
    subject bytea NOT NULL,
    wrapped bytea NOT NULL,
    PRIMARY KEY (project_id, subject)
);

-- Policy versions belong to the installation.
CREATE TABLE checkrein.policy_version (
    number bigint GENERATED ALWAYS AS IDENTITY,
    digest text COLLATE "C" PRIMARY KEY,
    commit_id text COLLATE "C",
    saved_at text COLLATE "C" NOT NULL,
    files text NOT NULL
);

-- One row: a number that rises with every change to projects and API keys, whoever makes it.
CREATE TABLE checkrein.change (
    sole boolean PRIMARY KEY DEFAULT true CHECK (sole),
    number bigint NOT NULL
);

INSERT INTO checkrein.change (number) VALUES (0);

CREATE FUNCTION checkrein.announce() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    UPDATE checkrein.change SET number = number + 1;
    RETURN NULL;
END
$$;

CREATE TRIGGER announced AFTER INSERT OR UPDATE OR DELETE ON checkrein.api_key
    FOR EACH ROW EXECUTE FUNCTION checkrein.announce();
CREATE TRIGGER announced AFTER INSERT OR UPDATE OR DELETE ON checkrein.project
    FOR EACH ROW EXECUTE FUNCTION checkrein.announce();

-- A key is looked up before anybody knows whose it is, so looking up is a function of the owner.
CREATE FUNCTION checkrein.keys() RETURNS SETOF checkrein.api_key
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM set_config('checkrein.inside', 'on', true);
    RETURN QUERY SELECT * FROM checkrein.api_key ORDER BY created_at, id;
END
$$;

-- These two only ever take rights away.
CREATE FUNCTION checkrein.revoke_key(key_id text, at text) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM set_config('checkrein.inside', 'on', true);
    UPDATE checkrein.api_key SET revoked_at = at WHERE id = key_id AND revoked_at IS NULL;
    RETURN FOUND;
END
$$;

CREATE FUNCTION checkrein.expire_key(key_id text, at text) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM set_config('checkrein.inside', 'on', true);
    UPDATE checkrein.api_key SET expires_at = at
        WHERE id = key_id AND (expires_at IS NULL OR expires_at > at);
    RETURN FOUND;
END
$$;

-- The id of the project of that name; `fresh` when it is new.
CREATE FUNCTION checkrein.project_named(wanted text, fresh text) RETURNS text
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    known text;
BEGIN
    SELECT id INTO known FROM checkrein.project WHERE name = wanted;
    IF known IS NULL THEN
        INSERT INTO checkrein.project (id, name) VALUES (fresh, wanted)
            ON CONFLICT (name) DO NOTHING;
        SELECT id INTO known FROM checkrein.project WHERE name = wanted;
    END IF;
    RETURN known;
END
$$;

ALTER TABLE checkrein.api_key ENABLE ROW LEVEL SECURITY;
ALTER TABLE checkrein.api_key FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON checkrein.api_key FOR INSERT TO checkrein_gateway
    WITH CHECK (project_id = (SELECT current_setting('checkrein.project')::checkrein.tenant));
CREATE POLICY inside ON checkrein.api_key TO CURRENT_USER
    USING ((SELECT current_setting('checkrein.inside', true)) = 'on');

ALTER TABLE checkrein.wrapped_key ENABLE ROW LEVEL SECURITY;
ALTER TABLE checkrein.wrapped_key FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant_reading ON checkrein.wrapped_key FOR SELECT
    TO checkrein_gateway, checkrein_worker
    USING (project_id = (SELECT current_setting('checkrein.project')::checkrein.tenant));
CREATE POLICY tenant_adding ON checkrein.wrapped_key FOR INSERT
    TO checkrein_gateway, checkrein_worker
    WITH CHECK (project_id = (SELECT current_setting('checkrein.project')::checkrein.tenant));

REVOKE ALL ON checkrein.project, checkrein.api_key, checkrein.wrapped_key,
    checkrein.policy_version, checkrein.change FROM PUBLIC;
GRANT INSERT ON checkrein.api_key TO checkrein_gateway;
GRANT SELECT, INSERT ON checkrein.wrapped_key TO checkrein_gateway, checkrein_worker;
GRANT SELECT, INSERT ON checkrein.policy_version TO checkrein_gateway;
GRANT SELECT ON checkrein.change TO checkrein_gateway;

REVOKE ALL ON FUNCTION checkrein.announce() FROM PUBLIC;
REVOKE ALL ON FUNCTION checkrein.keys() FROM PUBLIC;
REVOKE ALL ON FUNCTION checkrein.revoke_key(text, text) FROM PUBLIC;
REVOKE ALL ON FUNCTION checkrein.expire_key(text, text) FROM PUBLIC;
REVOKE ALL ON FUNCTION checkrein.project_named(text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION checkrein.keys(), checkrein.revoke_key(text, text),
    checkrein.expire_key(text, text), checkrein.project_named(text, text) TO checkrein_gateway;
