"""The migration runner: forward only, all or nothing, and no file is edited afterwards."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from gateway.errors import StorageFailure
from gateway.storage.embedded.connections import open_writer
from gateway.storage.embedded.migrate import Migration, apply, migrate, shipped

FIRST = Migration("0001_first.sql", "-- A table; with a comment.\nCREATE TABLE one (a TEXT);\n")
SECOND = Migration(
    "0002_second.sql",
    "CREATE TABLE two (a TEXT);\nINSERT INTO two (a)\n  VALUES ('x;y');\n-- the end\n",
)
SCHEMAS = Path(__file__).parent / "schema"


@pytest.fixture
def connection(tmp_path):
    opened = open_writer(tmp_path / "some.db")
    yield opened
    opened.close()


def test_what_is_missing_is_applied_once_and_in_order(connection):
    assert apply(connection, [FIRST]) == ["0001_first.sql"]
    assert apply(connection, [FIRST, SECOND]) == ["0002_second.sql"]
    assert apply(connection, [FIRST, SECOND]) == []

    assert connection.execute("SELECT a FROM two").fetchall() == [("x;y",)]


def test_an_edited_migration_is_refused(connection):
    apply(connection, [FIRST])

    with pytest.raises(StorageFailure, match=r"0001_first\.sql was edited"):
        apply(connection, [Migration(FIRST.name, FIRST.sql + " "), SECOND])
    assert "two" not in _tables(connection)


def test_a_database_of_a_newer_release_is_refused(connection):
    apply(connection, [FIRST, SECOND])

    with pytest.raises(StorageFailure, match=r"newer release .migration 0002_second\.sql"):
        apply(connection, [FIRST])


def test_a_migration_cannot_be_slipped_in_before_one_that_ran(connection):
    apply(connection, [SECOND])

    with pytest.raises(StorageFailure, match="comes before"):
        apply(connection, [FIRST, SECOND])


@pytest.mark.parametrize("broken", ["CREATE TABLE three (a;\n", "CREATE TABLE three (a)\n"])
def test_a_migration_that_fails_leaves_nothing_behind(connection, broken):
    """Not even those before it in the same start: the next start meets the same database."""
    with pytest.raises((sqlite3.Error, StorageFailure)):
        apply(connection, [FIRST, SECOND, Migration("0003_third.sql", broken)])

    assert _tables(connection) == set()
    assert apply(connection, [FIRST]) == ["0001_first.sql"]


def test_two_processes_that_start_together_apply_once(tmp_path):
    one, other = (open_writer(tmp_path / "some.db") for _ in range(2))

    assert apply(one, [FIRST]) == ["0001_first.sql"]
    assert apply(other, [FIRST]) == []
    one.close()
    other.close()


@pytest.mark.parametrize("folder", ["journal", "control"])
def test_the_schema_is_the_reviewed_one(connection, folder):
    """All migrations replayed give the reviewed file, so a change of the database is seen."""
    names = migrate(connection, folder)

    assert names == [migration.name for migration in shipped(folder)]
    statements = connection.execute(
        "SELECT sql FROM sqlite_master WHERE sql NOT NULL AND name NOT LIKE 'sqlite_%'"
        " ORDER BY tbl_name, type DESC, name"
    ).fetchall()
    schema = "\n".join(f"{statement};\n" for (statement,) in statements)
    assert schema == (SCHEMAS / f"{folder}.sql").read_text()


def _tables(connection):
    rows = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
    return {name for (name,) in rows} - {"migration"}
