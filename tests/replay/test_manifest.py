"""What a verdict says of the capture it rests on."""

from __future__ import annotations

from gateway.replay.frames import ReplayFrame
from gateway.replay.record.capture import Capture
from gateway.replay.record.manifest import Captured, captured, of_standings
from gateway.storage.embedded.ledger import open_ledger
from tests.ledger import events
from tests.ledger.events import PROJECT, open_secret, persists
from tests.replay.test_record import decided, frame, resulted

NOBODY = "what the network answered, the agent's own clock and what its code drew at random"


def boundaries(*told: ReplayFrame):
    capture = Capture()
    for each in told:
        capture.add(each)
    return capture.manifest()


def test_a_verdict_says_what_it_cannot_speak_of():
    """N10: nobody reads more into a replay than was captured."""
    bare = Captured([boundaries(decided(1), decided(2, "act_2"), resulted(3))], complete=True)
    told = {"observation": {"messages": [], "answer": "x"}}
    seen = boundaries(
        frame(1, "model_call", content=told), frame(2, "context"), decided(3), resulted(4)
    )

    said = bare.beside("Every decision comes out the same").says

    assert said == (
        "Every decision comes out the same; what models answered, what was retrieved, "
        f"{NOBODY.replace(' and ', ', ')} and what came of 1 call were not observed."
    )
    assert Captured([seen], complete=True).beside("So").says == f"So; {NOBODY} were not observed."


def test_of_several_runs_the_counts_are_sums():
    """What was not observed of one is not known of both, and the sentence says so (N10)."""
    one = boundaries(decided(1), resulted(2), frame(3, "context"))
    two = boundaries(decided(1), decided(2, "act_2", enforced="block"))

    found = Captured([one, two], complete=True).beside("So")

    tool, retrieval = (
        next(each for each in found.boundaries if each.boundary == name)
        for name in ("tool", "retrieval")
    )
    assert (tool.recorded, tool.denied, tool.unobserved, tool.state) == (1, 1, 1, "partial")
    assert (retrieval.state, found.runs, found.complete) == ("unobserved", 2, True)
    assert "what was retrieved" in found.says


def test_what_was_not_looked_at_is_said():
    cut = Captured([boundaries(decided(1), resulted(2))], complete=False)

    assert cut.beside("So").says.endswith("were not observed, and not all frames were looked at.")


def test_standings_are_told_in_a_clause():
    assert of_standings({"exact": 2, "same": 1}) == "Every decision comes out the same"
    assert of_standings({"exact": 2, "diverges": 1}) == "2 of 3 decisions come out the same"
    assert of_standings({"exact": 100}, more=True) == (
        "100 of 100 decisions that were judged again come out the same"
    )
    assert of_standings({}) == "No decision was judged again"


async def test_each_run_is_read_once(tmp_path):
    ledger = await open_ledger(tmp_path / "ledger.db")
    await ledger.record(persists([events.started(), events.decided()]), {})

    found = await captured(ledger, open_secret, PROJECT, ["run_1", "run_1"])
    await ledger.close()

    assert len(found.runs) == 1
    assert "parts of the content are gone" in found.beside("So").says
