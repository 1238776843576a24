"""A recorded run as a regression test, offline: the fixture `cassette`.

    def test_the_refund_agent(cassette):
        with cassette("refund.json"):
            support_agent()

The file is what `checkrein simulate RUN --save refund.json` wrote, beside the test or in a folder
`cassettes` there; without a name it is the test's own, `cassettes/test_the_refund_agent.json`. The
test fails with the table of calls when anything diverges, or tries to leave.

Nothing of it is loaded before a test asks for the fixture, and there is nothing else in here: no
option, no hook.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from checkrein.simulating.simulation import Simulation

FOLDER = "cassettes"


@pytest.fixture
def cassette(request: pytest.FixtureRequest) -> Callable[..., AbstractContextManager[Simulation]]:
    """Play a cassette file around the code under test; whatever diverges fails the test.

    `cassette(name, live=..., clock=..., seed=..., codecs=...)` as `checkrein.simulate` takes them;
    `strict=False` leaves it to the test what to say about `simulation.report`.
    """
    beside = Path(request.path).parent
    own = f"{request.node.name}.json"

    @contextmanager
    def play(name: str | None = None, *, strict: bool = True, **given: Any) -> Iterator[Simulation]:
        import checkrein  # noqa: PLC0415 - tests without a cassette need not load it

        with checkrein.simulate(_found(beside, name or own), **given) as simulation:
            yield simulation
        if strict and not simulation.report.ok:
            pytest.fail(f"The run went otherwise than it was recorded.\n{_table(simulation)}")

    return play


def _table(simulation: Simulation) -> str:
    return simulation.report.table()


def _found(beside: Path, name: str) -> Path:
    """The file, beside the test or in its folder of cassettes."""
    for place in (beside / name, beside / FOLDER / name):
        if place.is_file():
            return place
    pytest.fail(
        f"There is no cassette {name} beside the test or in {FOLDER}/. "
        f"`checkrein simulate RUN --save {FOLDER}/{name}` writes one."
    )
