"""Which run a caller means: a Checkrein id, the caller's own string, or a run of one action."""

from __future__ import annotations

import hashlib

PREFIX = "run_"


def run_id_of(project_id: str, environment: str, given: str) -> str:
    """The id of the run that `given` names in this project and environment.

    A Checkrein id names itself. Any other string names one run for ever: its id is derived, so
    that every gateway finds the same run without looking anything up (a UUID of version 8).
    """
    if is_run_id(given):
        return given
    named = "\x1f".join(("checkrein/run/v1", project_id, environment, given))
    digest = bytearray(hashlib.sha256(named.encode("utf-8", "replace")).digest()[:16])
    digest[6] = (digest[6] & 0x0F) | 0x80
    digest[8] = (digest[8] & 0x3F) | 0x80
    return PREFIX + digest.hex()


def is_run_id(given: str) -> bool:
    digits = given.removeprefix(PREFIX)
    return (
        given.startswith(PREFIX)
        and len(digits) == 32
        and all(char in "0123456789abcdef" for char in digits)
    )
