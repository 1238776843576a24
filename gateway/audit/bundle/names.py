"""The files of an export, by name, and its bounds."""

from __future__ import annotations

import re
from typing import Final

SUMMARY: Final = "PR_SUMMARY.md"
RECEIPT: Final = "RECEIPT.json"
REPLAY: Final = "REPLAY.jsonl"
OPENINGS: Final = "OPENINGS.jsonl"
RECIPE: Final = "VERIFY.md"
LOG: Final = "LOG.json"
SIGNATURE: Final = "SIGNATURE.json"
BLOBS: Final = "blobs/"

FIXED: Final = frozenset({SUMMARY, RECEIPT, REPLAY, OPENINGS, RECIPE, LOG, SIGNATURE})
# Those that the receipt lists; it cannot list itself, nor the signature over it.
ALWAYS: Final = frozenset({SUMMARY, REPLAY, OPENINGS, RECIPE})

PAYLOAD_TYPE: Final = "application/vnd.checkrein.receipt+json"
SCHEMA: Final = "https://checkrein.dev/schemas/receipt"
VERSION: Final = 1

EVENTS_MAX: Final = 200_000
FILES_MAX: Final = 400_000
BYTES_MAX: Final = 2 * 1024**3

_BLOB: Final = re.compile(r"blobs/[0-9a-f]{64}", re.ASCII)


def is_name(name: str) -> bool:
    """Whether an export may hold a file of this name: nothing else is looked at, let alone made."""
    return name in FIXED or _BLOB.fullmatch(name) is not None


def blob(digest: str) -> str:
    """Where content of this SHA-256 lies."""
    return BLOBS + digest
