"""Rows as text, piece by piece.

A spreadsheet runs a cell that begins like a formula. Names in a run are chosen by its caller, so
every such cell of a CSV gets an apostrophe in front, which spreadsheets show as text.
"""

from __future__ import annotations

import csv
import io
from collections.abc import AsyncIterator
from typing import Any, Literal

import msgspec

from gateway.audit.tables.rows import FIELDS, Row

Format = Literal["csv", "json", "jsonl"]

# Also in the forms that East Asian keyboards write, and behind what a reader may strip.
_FORMULA = frozenset("=+-@\t\r\n\uff1d\uff0b\uff0d\uff20|%")
_encoder = msgspec.json.Encoder()


async def written(rows: AsyncIterator[Row], form: Format) -> AsyncIterator[bytes]:
    """The whole document in pieces: a table with a header, an array, or a value a line."""
    if form == "csv":
        yield _line(FIELDS)
        async for row in rows:
            yield _line([cell(row.get(name)) for name in FIELDS])
    elif form == "jsonl":
        async for row in rows:
            yield _encoder.encode(row) + b"\n"
    else:
        divider = b"["
        async for row in rows:
            yield divider + _encoder.encode(row)
            divider = b",\n"
        yield b"[]\n" if divider == b"[" else b"]\n"


def cell(value: Any) -> str:
    """A value as a cell that no spreadsheet takes for a formula. Numbers are ours, and stay."""
    if value is None:
        return ""
    if isinstance(value, bool | int):
        return str(value)
    text = value if isinstance(value, str) else _encoder.encode(value).decode()
    stripped = text.lstrip(" \u00a0\ufeff")
    return f"'{text}" if stripped[:1] in _FORMULA and stripped else text


def _line(cells: list[str] | tuple[str, ...]) -> bytes:
    written = io.StringIO()
    csv.writer(written, quoting=csv.QUOTE_ALL, lineterminator="\r\n").writerow(cells)
    return written.getvalue().encode("utf-8", "replace")
