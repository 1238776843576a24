"""Which evaluator runs in the child, and what it may use."""

from __future__ import annotations

from msgspec import Struct

MIB = 1 << 20


class Evaluated(Struct, frozen=True, kw_only=True):
    """The module whose `load(version)` makes the evaluator, and the version or folder to load.

    `folder` is where the module is imported from, where that is not the gateway's own.
    """

    module: str = "gateway.intent.evaluator"
    version: str | None = None
    folder: str | None = None


class Limits(Struct, frozen=True, kw_only=True):
    """Seconds and bytes. Beyond them there is no assessment.

    `cpu` is what an assessment may take of the processor: Python code is interrupted there and the
    child goes on. `wall` is counted from the moment it begins; a child that is not back by then is
    killed. `wait_wall` is for having a child at all, `canary_*` for all planted cases together.
    `resident_bytes` is the memory beyond which a child is replaced when there is time;
    `memory_bytes` (of address space) is the end. `waiting_bytes` bounds the evidence in flight.
    """

    cpu: float = 0.05
    wall: float = 0.25
    canary_cpu: float = 2.0
    canary_wall: float = 10.0
    start_wall: float = 20.0
    wait_wall: float = 1.0
    memory_bytes: int = 512 * MIB
    resident_bytes: int = 256 * MIB
    reply_bytes: int = 256 * 1024
    waiting_bytes: int = 32 * MIB
