"""How alike a run would come out again: a number, how it was made, and what it does not cover."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any, Final, Literal

from msgspec import Struct
from msgspec.structs import replace

from gateway.replay.determinism.advice import ADVICE, Advice
from gateway.replay.determinism.detectors import Issue, Made, Repeats, Severity, of_values
from gateway.replay.determinism.known import Known
from gateway.replay.frames import ReplayFrame
from gateway.replay.quoting import value_shown
from gateway.replay.record.capture import Capture, State

Band = Literal["deterministic", "mostly", "partly", "not"]
ISSUES_MAX: Final = 200
FRAMES_MAX: Final = 20_000
COSTS: Final[dict[Severity, int]] = {"critical": 30, "high": 15, "medium": 8, "low": 3}
_BANDS: Final[tuple[tuple[int, Band], ...]] = (
    (90, "deterministic"),
    (70, "mostly"),
    (50, "partly"),
)
HOW: Final = (
    "From the record alone: 100, less 30 for each critical issue, 15 for a high one, 8 for a "
    "medium and 3 for a low one. An issue that comes again at the same place of the same tool "
    "counts once."
)


class Coverage(Struct, frozen=True):
    """What the score rests on: of so many calls, how many had arguments and outputs to look at.

    `unseen` says what the record cannot show, and `capture` how far each boundary between the agent
    and the world was watched.
    """

    calls: int
    arguments: int
    outputs: int
    model_calls: int
    unseen: tuple[str, ...]
    capture: dict[str, State] = {}


class Determinism(Struct, frozen=True):
    """`score` is 0 to 100, null where there is no call to tell it from.

    Issues come with the gravest first; `advice` has one entry for each kind among them.
    """

    run_id: str
    score: int | None
    band: Band | None
    source: Literal["record", "simulations"]
    how: str
    coverage: Coverage
    issues: tuple[Issue, ...]
    advice: tuple[Advice, ...]


class Scoring:
    """Follows a run frame by frame."""

    def __init__(self, run_id: str) -> None:
        self._run_id = run_id
        self._known = Known()
        self._known.tell(run_id)
        self._capture = Capture()
        self._repeats = Repeats()
        self._issues: dict[tuple[str, str, str], Issue] = {}
        self._made: dict[str, tuple[Made, str]] = {}
        self._calls = self._arguments = self._outputs = self._models = self._gone = 0
        self.frames = 0

    def add(self, frame: ReplayFrame) -> None:
        """The next frame."""
        self.frames += 1
        self._gone += len(frame.erased) + len(frame.broken)
        self._known.add(frame)
        self._capture.add(frame)
        if frame.type == "decision":
            self._decided(frame)
        elif frame.type == "result":
            self._resulted(frame)
        elif frame.type == "model_call":
            self._models += 1

    def result(self) -> Determinism:
        """What came of it."""
        order = list(COSTS)
        issues = sorted(self._issues.values(), key=lambda i: (order.index(i.severity), i.seq))
        score = None
        if self._arguments:
            score = max(0, 100 - sum(COSTS[each.severity] for each in issues))
        kinds = dict.fromkeys(each.kind for each in issues)
        return Determinism(
            run_id=self._run_id,
            score=score,
            band=None if score is None else band_of(score),
            source="record",
            how=HOW,
            coverage=self._coverage(),
            issues=tuple(issues[:ISSUES_MAX]),
            advice=tuple(ADVICE[kind] for kind in kinds),
        )

    def _decided(self, frame: ReplayFrame) -> None:
        self._calls += 1
        seen = frame.content.get("frame")
        action: dict[str, Any] = (seen.get("action") if isinstance(seen, dict) else None) or {}
        arguments = action.get("arguments")
        if not isinstance(arguments, dict):
            return
        self._arguments += 1
        effects = frozenset(map(str, frame.body.get("side_effects") or ()))
        at = _seconds(frame)
        made = Made(frame.seq, str(frame.body.get("tool")), arguments, effects, at)
        digest = str(frame.body.get("submitted_digest"))
        self._made[str(frame.body.get("action_id"))] = (made, digest)
        self._note(of_values(made, self._known))
        self._note(self._repeats.ordering(made))
        if frame.body.get("enforced") in ("allow", "warn", "modify"):
            self._note(self._repeats.effect(made, digest))
        self._known.tell(arguments)

    def _resulted(self, frame: ReplayFrame) -> None:
        found = self._made.get(str(frame.body.get("action_id")))
        if found is None or "output" not in frame.content:
            return
        self._outputs += 1
        self._note(self._repeats.output(*found, frame.content["output"]))

    def _note(self, issues: Iterable[Issue]) -> None:
        for issue in issues:
            key = (issue.kind, issue.tool, issue.place)
            if len(self._issues) < ISSUES_MAX:
                self._issues.setdefault(key, replace(issue, value=value_shown(issue.value)))

    def _coverage(self) -> Coverage:
        unseen = ["what the code did between two calls: only its calls are recorded"]
        if self._arguments < self._calls:
            unseen.append(f"the arguments of {self._calls - self._arguments} calls")
        if self._outputs < self._calls:
            unseen.append(f"the outputs of {self._calls - self._outputs} calls")
        if not self._models:
            unseen.append("the model's answers: a value that the model wrote looks made up")
        if self._known.forgotten:
            unseen.append("what was said early in this long run")
        if self.frames >= FRAMES_MAX:
            unseen.append(f"what came after the first {FRAMES_MAX:,} frames")
        return Coverage(
            calls=self._calls,
            arguments=self._arguments,
            outputs=self._outputs,
            model_calls=self._models,
            unseen=tuple(unseen),
            capture=self._capture.states(),
        )


def band_of(score: int) -> Band:
    """The band of a score: from 90, from 70, from 50, below."""
    return next((band for least, band in _BANDS if score >= least), "not")


def _seconds(frame: ReplayFrame) -> float:
    ns = frame.body.get("decided_ns")
    if isinstance(ns, str) and ns.isdigit():
        return int(ns) / 1e9
    return datetime.fromisoformat(frame.occurred_at).timestamp()
