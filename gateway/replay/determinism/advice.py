"""What to do about each kind: what it looks like in code, and what to write instead."""

from __future__ import annotations

from typing import Final

from msgspec import Struct

from gateway.replay.determinism.detectors import Kind


class Advice(Struct, frozen=True):
    """A sentence, and code before and after."""

    kind: Kind
    practice: str
    before: str
    after: str


ADVICE: Final[dict[Kind, Advice]] = {
    each.kind: each
    for each in (
        Advice(
            "timestamp",
            "Take the time once, at the edge, and hand it in: then a replay hands in the recorded "
            "one.",
            'create_event(at=datetime.now().isoformat(), title="Review")',
            'create_event(at=run_started_at.isoformat(), title="Review")',
        ),
        Advice(
            "random",
            "Derive identifiers from what the call is about: a repeated call then has the same "
            "one.",
            "charge(order, idempotency_key=str(uuid.uuid4()))",
            "charge(order, idempotency_key=str(uuid.uuid5(ORDERS, order.id)))",
        ),
        Advice(
            "external_state",
            "Give effects an idempotency key, and read what may move once per turn.",
            "refund(order)\nrefund(order)  # tried again after a timeout",
            'refund(order, idempotency_key=f"refund-{order.id}")',
        ),
        Advice(
            "floating_point",
            "Count money in minor units, and round where a number leaves your code.",
            "charge(amount=0.1 + 0.2)",
            "charge(amount_cents=10 + 20)",
        ),
        Advice(
            "ordering",
            "Sort what has no order of its own before it is sent.",
            "tag(ticket, list({*tags, *more}))",
            "tag(ticket, sorted({*tags, *more}))",
        ),
    )
}
