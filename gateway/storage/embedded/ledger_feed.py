"""A project's events in the order of their commits. A place is the row's number in the file.

Rows are only ever added, by one writer, so a higher number was committed later. What is left out
are the rows of other projects: their numbers are passed over.
"""

from __future__ import annotations

import sqlite3

from gateway.storage.ports import Fed, FeedPage

# So many rows, whosever they are, are looked at for a page.
ROWS = 5_000
# The file's newest row; it says nothing about whose it is.
END = "SELECT max(rowid) FROM event"
# By number, not by an index that would have to be sorted.
PAGE = """
    SELECT rowid, record FROM event NOT INDEXED
    WHERE project_id = ?1 AND rowid > ?2 AND rowid <= ?3 ORDER BY rowid LIMIT ?4
"""


def end(connection: sqlite3.Connection, _project_id: str = "") -> int:
    """The number of the newest row, 0 when there is none."""
    return int(connection.execute(END).fetchone()[0] or 0)


def page(connection: sqlite3.Connection, project_id: str, after: int, limit: int) -> FeedPage:
    """Up to `limit` events behind the place `after`."""
    last = min(max(after, end(connection)), after + ROWS)
    rows = connection.execute(PAGE, (project_id, after, last, limit)).fetchall()
    events = [Fed(place, record) for place, record in rows]
    return FeedPage(after, events[-1].place if len(events) == limit else last, events)
