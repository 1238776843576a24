CREATE TABLE project (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL UNIQUE
) STRICT;

-- API keys: never the key, only a keyed digest of it.
CREATE TABLE api_key (
    id TEXT PRIMARY KEY,
    project_id TEXT NOT NULL,
    environment TEXT NOT NULL,
    name TEXT NOT NULL,
    digest BLOB NOT NULL,
    scopes TEXT NOT NULL,
    created_at TEXT NOT NULL,
    agent_id TEXT,
    expires_at TEXT,
    revoked_at TEXT
) STRICT;

-- Encryption keys, wrapped by the key above. `subject` is '' for the project's own key.
CREATE TABLE wrapped_key (
    project_id TEXT NOT NULL,
    subject TEXT NOT NULL,
    wrapped BLOB NOT NULL,
    PRIMARY KEY (project_id, subject)
) STRICT, WITHOUT ROWID;

CREATE TABLE policy_version (
    digest TEXT PRIMARY KEY,
    commit_id TEXT,
    saved_at TEXT NOT NULL,
    files TEXT NOT NULL
) STRICT;

-- One row: a number that rises with every change to projects and API keys.
CREATE TABLE change (
    only INTEGER PRIMARY KEY CHECK (only = 1),
    number INTEGER NOT NULL
) STRICT;

INSERT INTO change (only, number) VALUES (1, 0);
