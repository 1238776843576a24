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

CREATE TABLE change (
    only INTEGER PRIMARY KEY CHECK (only = 1),
    number INTEGER NOT NULL
, erasures INTEGER NOT NULL DEFAULT 0) STRICT;

CREATE TABLE migration (name TEXT PRIMARY KEY, digest TEXT NOT NULL);

CREATE TABLE policy_version (
    digest TEXT PRIMARY KEY,
    commit_id TEXT,
    saved_at TEXT NOT NULL,
    files TEXT NOT NULL
) STRICT;

CREATE TABLE project (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL UNIQUE
) STRICT;

CREATE TABLE wrapped_key (
    project_id TEXT NOT NULL,
    subject TEXT NOT NULL,
    wrapped BLOB NOT NULL,
    PRIMARY KEY (project_id, subject)
) STRICT, WITHOUT ROWID;
