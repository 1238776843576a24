"""A process that appends to a journal and says so, to be killed, starved or traced.

python -m tests.storage.append_child loop FOLDER    append to four runs until killed
python -m tests.storage.append_child once FOLDER    one append, then a word on stdout
python -m tests.storage.append_child full FOLDER    run into a limit on file sizes, and out
"""

from __future__ import annotations

import asyncio
import os
import resource
import sys
from pathlib import Path

import msgspec

from gateway.domain.run_state import StateChange
from gateway.errors import StorageFailure
from tests.contract import appends as make
from tests.contract.backends import EmbeddedHot

RUNS = 4
CALL = StateChange(add={"calls": 1})


def say(**words: object) -> None:
    """One line on stdout, past every buffer: whoever reads it may rely on it."""
    os.write(1, msgspec.json.encode(words) + b"\n")


async def loop(folder: Path) -> None:
    hot = await EmbeddedHot(folder).open()

    async def client(number: int) -> None:
        run_id = f"run_{number % RUNS}"
        while True:
            event = make.draft(id=f"evt_{os.urandom(16).hex()}")
            seq = await make.done(hot.journal, make.append(run_id, [event], changes=(CALL,)))
            say(run_id=run_id, seq=seq, id=event.id)

    await asyncio.gather(*(client(number) for number in range(8)))


async def once(folder: Path) -> None:
    hot = await EmbeddedHot(folder).open()
    say(ready=True)
    await make.done(hot.journal, make.append())
    say(acknowledged=True)
    await hot.close()


async def full(folder: Path) -> None:
    hot = await EmbeddedHot(folder).open()
    places = [await make.done(hot.journal, make.append(changes=(CALL,)))]
    await hot.journal.gather(make.wish("dec_held", 5))
    _limit_files((folder / "journal.db-wal").stat().st_size + 200_000)
    failures = 0
    while failures < 3:
        outcomes = await asyncio.gather(
            *(hot.journal.append(make.append(changes=(CALL,))) for _ in range(8)),
            return_exceptions=True,
        )
        for outcome in outcomes:
            assert not isinstance(outcome, BaseException) or isinstance(outcome, StorageFailure)
            failures += isinstance(outcome, StorageFailure)
        places += [outcome.first_seq for outcome in outcomes if hasattr(outcome, "first_seq")]
    held = (await hot.journal.gather(make.wish("dec_other", 1))).used
    while_full = (await hot.journal.gather(make.ask())).state.counters["calls"]
    _limit_files(resource.RLIM_INFINITY)
    after = [await make.done(hot.journal, make.append(changes=(CALL,))) for _ in range(3)]
    await hot.reopen()
    claims = await hot.drain.claim(100_000)
    state = (await hot.journal.gather(make.ask())).state
    say(
        places=places,
        held=held,
        while_full=while_full,
        after=after,
        stored=[claim.seq for claim in claims],
        calls=state.counters["calls"],
    )
    await hot.close()


def _limit_files(size: int) -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))


if __name__ == "__main__":
    act = {"loop": loop, "once": once, "full": full}[sys.argv[1]]
    asyncio.run(act(Path(sys.argv[2])))
