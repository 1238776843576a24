"""What a replay rests on: how much was captured, said beside each verdict in one sentence.

A verdict is about the record. What nobody watched is not in the record, so no verdict speaks of it,
however well it comes out.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from msgspec import Struct

from gateway.replay.opening import OpenSecret
from gateway.replay.record.capture import Boundary, Capture, Name, State
from gateway.replay.walking import walk
from gateway.storage.ports import Ledger

# Of what lies behind so many frames of what is asked about, nothing is said.
ASKED_MAX: Final = 20_000
# The same where nobody asked for it: a first page is not to read a whole long run.
UNASKED_MAX: Final = 2_000
# Frames opened at once: they are let go of as they are counted.
AT_ONCE: Final = 32
# What would have come over a boundary that nobody watches, in the order in which it is named.
_UNSEEN: Final[Mapping[Name, str]] = {
    "model": "what models answered",
    "retrieval": "what was retrieved",
    "network": "what the network answered",
    "clock": "the agent's own clock",
    "random": "what its code drew at random",
}
# The verdict of a view: it shows, and says nothing of what it cannot show.
SHOWN: Final = "What was recorded is shown"
_ALIKE: Final = ("exact", "redacted-equivalent", "same")


class Manifest(Struct, frozen=True):
    """How complete the capture is on which a verdict rests, of so many `runs`.

    `says` is the verdict with what it cannot speak of, `unseen` the latter as a clause. `complete`
    is false where not all frames were looked at. Of several runs the counts are sums, and a state
    is that of all, `unobserved` where one of them was not watched, or else `partial`.
    """

    says: str
    unseen: str
    runs: int
    complete: bool
    boundaries: list[Boundary]


class Captured(Struct, frozen=True):
    """The boundaries of each run that was looked at."""

    runs: list[list[Boundary]]
    complete: bool

    def beside(self, verdict: str) -> Manifest:
        """The manifest that goes with a verdict: a clause in words, without its full stop."""
        found = self.runs[0] if len(self.runs) == 1 else summed(self.runs)
        clause, runs = unseen(found), len(self.runs)
        if not self.complete:
            clause += ", and not all frames were looked at"
        return Manifest(f"{verdict}; {clause}.", clause, runs, self.complete, found)


async def captured(
    ledger: Ledger,
    open_secret: OpenSecret,
    project_id: str,
    run_ids: Iterable[str],
    frames_max: int = ASKED_MAX,
) -> Captured:
    """What was captured of these runs. Each is read once, whatever is asked about it."""
    found: list[list[Boundary]] = []
    frames = 0
    for run_id in dict.fromkeys(run_ids):
        capture = Capture()
        async for frame in walk(ledger, open_secret, project_id, run_id, at_once=AT_ONCE):
            if frames == frames_max:
                return Captured([*found, capture.manifest()], complete=False)
            capture.add(frame)
            frames += 1
        found.append(capture.manifest())
    return Captured(found, complete=True)


def unseen(boundaries: Sequence[Boundary]) -> str:
    """The clause that says what was not observed, and what of the record is gone."""
    by_name = {each.boundary: each for each in boundaries}
    things = [
        words
        for name, words in _UNSEEN.items()
        if name in by_name and by_name[name].state == "unobserved"
    ]
    things += _in_part(by_name)
    told = f"{_listed(things)} {'was' if len(things) == 1 else 'were'} not observed"
    if not things:
        told = "nothing is known to be missing"
    if (content := by_name.get("content")) is not None and content.unobserved:
        verb = "is" if content.unobserved == 1 else "are"
        told += f", and {_counted(content.unobserved, 'part')} of the content {verb} gone"
    return told


def of_standings(counts: Mapping[Any, int], more: bool = False) -> str:
    """The verdict of decisions that were judged again, as a clause; `more` were not."""
    alike, total = sum(counts.get(each, 0) for each in _ALIKE), sum(counts.values())
    if not total:
        return "No decision was judged again"
    if alike == total and not more:
        return "Every decision comes out the same"
    looked_at = " that were judged again" if more else ""
    return f"{alike:,} of {total:,} decisions{looked_at} come out the same"


def summed(runs: Sequence[Sequence[Boundary]]) -> list[Boundary]:
    """The boundaries of several runs as if they were one's; reasons are each run's own."""
    found: dict[Name, Boundary] = {}
    for each in (boundary for run in runs for boundary in run):
        before = found.get(each.boundary)
        found[each.boundary] = Boundary(
            each.boundary,
            each.state if before is None else _state(before.state, each.state),
            each.recorded + (before.recorded if before else 0),
            each.stubbed + (before.stubbed if before else 0),
            each.denied + (before.denied if before else 0),
            each.unobserved + (before.unobserved if before else 0),
            [],
        )
    return list(found.values())


def _state(one: State, other: State) -> State:
    if one == other or other == "unused":
        return one
    if one == "unused":
        return other
    return "unobserved" if "unobserved" in (one, other) else "partial"


def _in_part(by_name: Mapping[Name, Boundary]) -> list[str]:
    tool, model = by_name.get("tool"), by_name.get("model")
    found = []
    if tool is not None and tool.unobserved:
        found.append(f"what came of {_counted(tool.unobserved, 'call')}")
    if model is not None and model.unobserved:
        found.append(f"a part of {_counted(model.unobserved, 'model call')}")
    return found


def _counted(count: int, what: str) -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'}"


def _listed(things: Sequence[str]) -> str:
    return " and ".join(filter(None, [", ".join(things[:-1]), *things[-1:]]))
