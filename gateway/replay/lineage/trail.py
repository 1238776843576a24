"""What a run knew before a call: the user's words, content, plan, model answer, in that order.

Frames are added as they come, so a long run need not be held whole. What repeats from frame to
frame is kept once, with the first frame that had it.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec
from msgspec.structs import replace

from gateway.replay.breaking import Breaking
from gateway.replay.frames import ReplayFrame
from gateway.replay.lineage.answers import Answer, Answers
from gateway.replay.lineage.model_answers import same_tool
from gateway.replay.lineage.model_words import thought
from gateway.replay.lineage.sources import (
    TEXT_CHARS,
    Case,
    Passed,
    Source,
    place_of,
    spelled,
    text_of,
)
from gateway.replay.record.capture import Capture

GONE_MAX: Final = 32
FIRSTS_MAX: Final = 512
# So many contents, the newest, are looked at for one call: what is read is bounded.
CONTENT_MAX: Final = 64
CONTENT_CHARS: Final = 131_072
HANDED_MAX: Final = 8
HANDOFF: Final = "handoff"
CASES_MAX: Final = 5_000
_USER: Final = ("message", "user")


class Trail:
    """Gathers the case of one action. `action` is its id, a decision's id, or a frame's number.

    Without one it is the step that broke, or else the last one. `unread` counts the frames before
    the first that is added; of the calls the newest `cases_max` can be asked for.
    """

    def __init__(
        self, action: str | None = None, unread: int = 0, cases_max: int = CASES_MAX
    ) -> None:
        self._action = action
        self._unread = unread
        self._content: dict[str, Source] = {}
        self._chars = 0
        self._unread_content = 0
        self._asked: Source | None = None
        self._planned: Source | None = None
        self._first: dict[str, tuple[int, str]] = {}
        self._answers = Answers()
        self._handed: list[Passed] = []
        self._gone: list[str] = []
        self._cases_max = cases_max
        self._cases: dict[str, Case] = {}
        self._tools: dict[str, str] = {}
        self._done: set[str] = set()
        self._breaking = Breaking()
        self._capture = Capture()
        self._last: str | None = None
        self._newest: ReplayFrame | None = None

    def add(self, frame: ReplayFrame) -> None:
        """The next frame of the run."""
        gone = [f"{frame.seq}:{part}" for part in (*frame.erased, *frame.broken)]
        self._gone += gone[: GONE_MAX - len(self._gone)]
        self._breaking.add(frame)
        self._capture.add(frame)
        self._newest = frame
        seen = frame.content.get("observation")
        observed = seen if isinstance(seen, dict) else {}
        if frame.type == "decision":
            self._decided(frame)
        elif frame.type == "result":
            self._resulted(frame)
        elif frame.type == "request" or (frame.type, frame.body.get("role")) == _USER:
            self._ask(frame.seq, "/observation/text", observed.get("text"))
        elif frame.type == "plan":
            self._plan(frame.seq, "/observation", {**frame.body, **observed})
        elif frame.type == "context":
            self._see(frame.seq, "/observation", {**frame.body, **observed})
        elif frame.type == "model_call":
            self._answered(frame, observed)
        elif frame.type == "handoff":
            self._handed_on(frame, observed)

    def case(self) -> Case | None:
        """The call that was asked for; of several decisions about it the last."""
        broken = self._breaking.broken
        wanted = self._action or (broken[1] if broken else self._last)
        case = None if wanted is None else self._cases.get(wanted)
        return None if case is None else replace(case, capture=dict(self._capture.states()))

    def case_of(self, action_id: str) -> Case | None:
        return self._cases.get(action_id)

    @property
    def handed(self) -> Passed | None:
        """The last hand-off."""
        return self._handed[-1] if self._handed else None

    def known(self) -> Case | None:
        """Everything that was known at the last frame, without a call."""
        return None if self._newest is None else self._known(self._newest, None, None, {})

    def _see(self, seq: int, part: str, item: dict[str, Any]) -> None:
        text, name = item.get("text"), item.get("source") or item.get("id")
        if isinstance(text, str) and item.get("found", True):
            named = name if isinstance(name, str) else None
            vouched = item.get("trusted") is True
            self._hold(Source("content", seq, f"{part}/text", text, None, None, named, vouched))

    def _hold(self, source: Source) -> None:
        """Content counts from where it first was; what was seen last is looked at first."""
        text = (source.text or "")[:TEXT_CHARS]
        if not text.strip():
            return
        known = self._content.pop(text, None)
        if known is not None:
            source = replace(known, trusted=known.trusted or source.trusted)
        self._content[text] = replace(source, text=text)
        self._chars += len(text) if known is None else 0
        while len(self._content) > CONTENT_MAX or self._chars > CONTENT_CHARS:
            oldest = next(iter(self._content))
            del self._content[oldest]
            self._chars -= len(oldest)
            self._unread_content += 1

    def _resulted(self, frame: ReplayFrame) -> None:
        tool = self._tools.get(str(frame.body.get("action_id")))
        named = f"output of {tool}" if tool else "output"
        text = spelled(frame.content.get("output"))
        self._hold(Source("content", frame.seq, "/output", text, None, None, named, False))

    def _answered(self, frame: ReplayFrame, observed: dict[str, Any]) -> None:
        for source in self._answers.add(frame, observed).told("content"):
            self._hold(source)

    def _handed_on(self, frame: ReplayFrame, observed: dict[str, Any]) -> None:
        """A hand-off is kept with all that was known when it was made."""
        text = text_of(observed, "reason")
        name = f"to {frame.body.get('to_agent')}"
        words = Source("handoff", frame.seq, "/observation/reason", text, name=name)
        answer, model = self._answers.of("", None, again=True)
        case = replace(
            self._known(frame, answer, model, {}),
            tool=HANDOFF,
            arguments={"reason": text},
            # Those before it are kept by the run: each with those before it would be kept for ever.
            handed=(),
        )
        self._handed = [*self._handed[1 - HANDED_MAX :], Passed(case, words if text else None)]

    def _decided(self, frame: ReplayFrame) -> None:
        seen = frame.content.get("frame")
        action = (seen.get("action") if isinstance(seen, dict) else None) or {}
        body = frame.body
        id_, tool = str(body.get("action_id")), str(body.get("tool"))
        if isinstance(seen, dict):
            self._take_in(frame.seq, seen)
        decision = frame.content.get("decision")
        changed = decision.get("arguments") if isinstance(decision, dict) else None
        answer, model = self._answers.of(tool, body.get("call_id"), again=id_ in self._tools)
        case = replace(
            self._known(frame, answer, model, seen if isinstance(seen, dict) else {}),
            decision_id=str(body.get("decision_id")),
            action_id=id_,
            tool=tool,
            arguments=action.get("arguments") or {},
            changed=changed,
            description=action.get("description"),
            schema=action.get("schema"),
            verdict=str(body.get("verdict")),
            enforced=str(body.get("enforced")),
            side_effects=tuple(action.get("side_effects") or ()),
            stale=self._planned is not None and self._is_done(self._planned.tool, tool),
        )
        if self._action is None:
            self._keep(id_, case)
        elif self._action in (id_, case.decision_id, str(frame.seq)):
            self._keep(self._action, case)
        self._tools[id_] = tool
        self._done.add(tool)
        self._last = id_

    def _known(
        self, frame: ReplayFrame, answer: Answer | None, model: Source | None, seen: dict[str, Any]
    ) -> Case:
        """Everything but the call itself."""
        asked = answer.told("request") if answer else ()
        request = self._asked or next(iter(asked), None)
        reasons = (seen.get("request") or {}).get("reasoning")
        said = answer.thoughts if answer and model else ()
        if isinstance(reasons, str) and all(each.text != reasons for each in said):
            said = (*said, thought(frame.seq, "/frame/request/reasoning", reasons))
        return Case(
            *("", "", frame.seq, "", {}, None, None, None, "", ""),
            request=(request,) if request else (),
            content=tuple(sorted(self._content.values(), key=place_of)),
            plan=(self._planned,) if self._planned else (),
            model=model,
            model_calls=len(self._answers),
            gone=tuple(self._gone),
            unread=self._unread,
            unread_content=self._unread_content,
            system=answer.told("system") if answer else (),
            reasoning=said,
            handed=tuple(self._handed),
            recorded_at=frame.recorded_at,
        )

    def _take_in(self, seq: int, seen: dict[str, Any]) -> None:
        """Request, plan and context ride inside a check; each counts from where it first was."""
        request = seen.get("request") or {}
        self._ask(seq, "/frame/request/user", request.get("user"))
        if isinstance(planned := request.get("plan"), dict):
            self._plan(seq, "/frame/request/plan", planned)
        for place, item in enumerate(seen.get("context") or ()):
            if isinstance(item, dict):
                self._see(seq, f"/frame/context/{place}", item)

    def _is_done(self, planned: str | None, tool: str) -> bool:
        if planned is None or same_tool(planned, tool):
            return False
        return any(same_tool(planned, done) for done in self._done)

    def _keep(self, name: str, case: Case) -> None:
        self._cases[name] = case
        while len(self._cases) > self._cases_max:
            self._cases.pop(next(iter(self._cases)))

    def _ask(self, seq: int, part: str, said: Any) -> None:
        if isinstance(said, str) and said:
            text = said[:TEXT_CHARS]
            self._asked = Source("request", *self._since(text, seq, part), text)

    def _plan(self, seq: int, part: str, planned: dict[str, Any]) -> None:
        given, named = planned.get("arguments"), planned.get("tool")
        text = text_of(planned, "text")
        arguments = given if isinstance(given, dict) else None
        tool = named if isinstance(named, str) else None
        said = msgspec.json.encode([text, arguments, tool], order="sorted").decode()
        self._planned = Source("plan", *self._since(said, seq, part), text, arguments, tool)

    def _since(self, said: str, seq: int, part: str) -> tuple[int, str]:
        """Where something was said first, which later frames repeat."""
        first = self._first.setdefault(said, (seq, part))
        if len(self._first) > FIRSTS_MAX:
            self._first.pop(next(iter(self._first)))
        return first
