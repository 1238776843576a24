"""What an evaluation may use, and what the evaluators may use together."""

from __future__ import annotations

from msgspec import Struct

MIB = 1 << 20


class Limits(Struct, frozen=True, kw_only=True):
    """Seconds and bytes. An evaluation beyond its limits is a failure of its rules, not a wait.

    `evaluate_wall` counts from the moment an evaluation begins, not while it waits behind others.
    `prepare_*` is for the rules of one tool, in a process that others wait for; `compile_wall` for
    a whole policy, where nobody waits; `wait_wall` for having a process at all.
    `resident_bytes` is the memory of an evaluator beyond which it is replaced when there is time;
    `memory_bytes` (of address space) ends it at once. `waiting_bytes` bounds the frames in flight.
    `engines` bounds the prepared combinations of rules, `policies` the policy versions behind them.
    """

    evaluate_cpu: float = 0.025
    evaluate_wall: float = 0.25
    prepare_cpu: float = 2.0
    prepare_wall: float = 2.0
    compile_wall: float = 10.0
    start_wall: float = 10.0
    wait_wall: float = 2.0
    memory_bytes: int = 512 * MIB
    resident_bytes: int = 160 * MIB
    reply_bytes: int = 256 * 1024
    waiting_bytes: int = 32 * MIB
    engines: int = 256
    policies: int = 64
