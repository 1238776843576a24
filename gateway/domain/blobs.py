"""Content parts at rest: each sealed under its run's key, for its place and no other.

Sealed by the worker, opened by replay and by verification.
"""

from __future__ import annotations

from msgspec import Struct

from gateway.domain import sealing


class RunKeys(Struct, frozen=True):
    """A run's secret and the content key derived from it."""

    secret: bytes
    content: bytes


def run_keys(secret: bytes) -> RunKeys:
    return RunKeys(secret, sealing.content_key(secret))


def seal_part(keys: RunKeys, project_id: str, run_id: str, key: str, data: bytes) -> bytes:
    """Nonce and ciphertext, which open only under this storage key of this run."""
    return sealing.seal(keys.content, data, _aad(project_id, run_id, key))


def open_part(keys: RunKeys, project_id: str, run_id: str, key: str, sealed: bytes) -> bytes:
    """A part's bytes. Raises SealBroken."""
    return sealing.unseal(keys.content, sealed, _aad(project_id, run_id, key))


def _aad(project_id: str, run_id: str, key: str) -> bytes:
    return "\x00".join((project_id, run_id, key)).encode()
