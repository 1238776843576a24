"""The space of a run whose conversation grows is that of what is new (S0-7 in proportion)."""

from __future__ import annotations

import os
from typing import Any

import checkrein

from tests.clients.conftest import calls_of
from tests.servers.models import Said

STEPS = 100
NEW_BYTES = 600


def stored(gateway: Any, run: checkrein.Run) -> list[int]:
    """Bytes of the ledger after each model call: events with their hashes and keys, and content."""
    project = gateway.run(gateway.gateway.parts.control.project("acme"))

    async def rows() -> tuple[list[Any], dict[str, bytes]]:
        ledger = gateway.gateway.parts.ledger
        events = await ledger.events(project, run.id, 0, 1000)
        keys = sorted({key for event in events for key in event.blob_keys.values()})
        return events, await ledger.blobs(project, run.id, keys)

    events, sealed = gateway.run(rows())
    seen: set[str] = set()
    total, after = 0, []
    for event in events:
        fresh = set(event.blob_keys.values()) - seen
        seen |= fresh
        named = sum(len(name) + len(key) for name, key in event.blob_keys.items())
        total += len(event.record) + named + sum(len(sealed[key]) for key in fresh)
        if b'"model_call"' in event.record:
            after.append(total)
    return after


def test_a_run_of_a_hundred_steps_takes_the_space_of_what_is_new(gateway, provider, chat):
    """Linear, not quadratic: the second half of the steps takes what the first half took."""
    talk: list[dict[str, Any]] = [{"role": "system", "content": "Be good. " * 50}]
    with checkrein.run("growing") as run:
        for _ in range(STEPS):
            talk.append({"role": "user", "content": os.urandom(NEW_BYTES // 4).hex()})
            provider.answer(Said(os.urandom(NEW_BYTES // 4).hex()))
            answer = chat.chat.completions.create(model="m-1", messages=talk)
            talk.append({"role": "assistant", "content": answer.choices[0].message.content})
    sent = sum(map(len, provider.raw))
    calls = calls_of(gateway, run)

    after = stored(gateway, run)
    first, second = after[STEPS // 2 - 1], after[-1] - after[STEPS // 2 - 1]
    print(f"sent to the provider {sent}, stored {after[-1]}: {first} and {second}")  # noqa: T201
    assert len(calls) == STEPS
    assert second < 1.1 * first
    # The answer is told as an answer, and as a message of the next call; the rest is each event's.
    assert after[-1] < STEPS * (2 * NEW_BYTES + 2200)
    assert after[-1] < sent / 8
