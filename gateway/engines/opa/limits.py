"""How long OPA may take, and how much may wait for it."""

from __future__ import annotations

from msgspec import Struct

MIB = 1 << 20


class Limits(Struct, frozen=True, kw_only=True):
    """Seconds and bytes. What is beyond them is a failure of rules, never a wait.

    `timeout` is for one evaluation, whatever becomes of it; `load_wall` for making a whole policy
    known, where nobody waits. `concurrent` bounds the evaluations that OPA works on,
    `waiting_bytes` the frames of those and of the ones that wait, `apart` the evaluations that are
    tried rule by rule at the same time after a time-out. `reply_bytes` bounds what comes back from
    rules, `readback_bytes` a module that is read back. `rulesets` bounds the policy versions that
    stay on the server: it compiles all of them again with every module that it is given.
    """

    timeout: float = 0.1
    load_wall: float = 60.0
    concurrent: int = 16
    waiting_bytes: int = 32 * MIB
    apart: int = 2
    reply_bytes: int = 256 * 1024
    readback_bytes: int = 64 * MIB
    rulesets: int = 3
