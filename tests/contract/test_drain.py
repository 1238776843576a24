"""The worker's end: everything is handed out until it is settled, in order, and once."""

from __future__ import annotations

import asyncio

from gateway.domain import sealing
from gateway.storage import record
from tests.contract import appends as make


async def test_claims_come_in_order_until_they_are_settled(hot):
    for number in range(6):
        await make.done(hot.journal, make.append(f"run_{number % 2}"))

    first = await hot.drain.claim(4)
    assert [(claim.run_id, claim.seq) for claim in first] == [
        ("run_0", 1),
        ("run_1", 1),
        ("run_0", 2),
        ("run_1", 2),
    ]
    assert await hot.drain.claim(4) == first
    await hot.drain.settle(first[:3])
    await hot.drain.settle(first[:3])

    left = await hot.drain.claim(10)
    assert [(claim.run_id, claim.seq) for claim in left] == [
        ("run_1", 2),
        ("run_0", 3),
        ("run_1", 3),
    ]


async def test_a_claim_opens_with_the_run_s_wrapped_secret(hot):
    """What the worker needs: the header in clear, the content under the run's key and place."""
    event = make.draft(content={"frame": b"the frame"}, action_id="act_1", parent_id="evt_0")
    await make.done(hot.journal, make.append(drafts=[event], user_id="u_1"))

    (claim,) = await hot.drain.claim(10)
    run = (claim.project_id, claim.run_id)
    secret = await hot.keyring.run_secret(run[0], (await hot.drain.secrets({run}))[run])
    draft, sealed = record.decode(claim.raw)
    content = record.open_content(sealing.content_key(secret), *run, draft.id, sealed)

    assert draft == make.draft(id=event.id, content={}, action_id="act_1", parent_id="evt_0")
    assert content == {"frame": b"the frame"}
    assert claim.environment == "production"


async def test_appends_go_on_while_the_drain_settles(hot):
    """A worker at full speed neither blocks appends nor loses what comes in."""
    drained: list[tuple[str, int]] = []
    stop = asyncio.Event()

    async def work() -> None:
        while claims := (await hot.drain.claim(64)) or not stop.is_set():
            if not isinstance(claims, bool):
                drained.extend((claim.run_id, claim.seq) for claim in claims)
                await hot.drain.settle(claims)
            await asyncio.sleep(0.001)

    async def append(run_id: str) -> None:
        for _ in range(100):
            await make.done(hot.journal, make.append(run_id))

    worker = asyncio.create_task(work())
    await asyncio.gather(*(append(f"run_{number}") for number in range(8)))
    stop.set()
    await worker

    assert len(drained) == 800
    for number in range(8):
        places = [seq for run_id, seq in drained if run_id == f"run_{number}"]
        assert places == list(range(1, 101))


async def test_the_figures_say_what_waits_and_how_long(hot):
    assert (await hot.journal.figures()).waiting == 0
    hot.ambient.pass_seconds(2)
    for _ in range(5):
        await make.done(hot.journal, make.append())
    hot.ambient.pass_seconds(7)

    figures = await hot.journal.figures()
    await hot.drain.settle(await hot.drain.claim(4))
    hot.ambient.pass_seconds(2)
    later = await hot.journal.figures()

    assert (figures.waiting, figures.oldest_seconds) == (5, 7.0)
    assert (later.waiting, later.oldest_seconds) == (1, 9.0)
