"""`checkrein tour`: what can be done with a bad run, done with six of them."""

from __future__ import annotations

from pathlib import Path

from gateway.cli.stations import STATIONS
from gateway.cli.stories import STORIES
from tests.cli.commands import checkrein


def test_the_tour_goes_through_with_real_output(tmp_path: Path) -> None:
    """Each simulation is viewed, judged again to the same bytes, simulated without a network,
    explained, compared with a good run, exported and verified; a changed byte fails at its event.
    """
    done = checkrein("tour", "--json", cwd=tmp_path, seconds=600)

    assert done.code == 0, done.out + done.err
    told = done.json
    assert list(told["runs"]) == [story.name for story in STORIES]
    assert {tuple(stations) for stations in told["runs"].values()} == {tuple(STATIONS)}
    stripe = told["runs"]["stripe_boolean"]
    assert stripe["explain"]["told"] == "/action/arguments/is_refund code_changed"
    assert stripe["mend"]["told"] == "input diverges first, of 1"
    injected = told["runs"]["injected_page"]["explain"]["told"]
    assert injected == "/action/arguments/to_account injected_instruction"
