"""What every station says about one argument, and what it should have been."""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from gateway.intent.v1.attribution_tone import hidden
from gateway.replay.lineage.arguments import SILENT, Argument, Reading
from gateway.replay.lineage.hard_values import could_be, mentions
from gateway.replay.lineage.instructions import HIDDEN_IN, ordering
from gateway.replay.lineage.labels import asked_instead
from gateway.replay.lineage.reading import read
from gateway.replay.lineage.sources import Case, Source
from gateway.replay.quoting import quoted


class Heard(Struct, frozen=True):
    """Everything that was read about one argument."""

    case: Case
    argument: Argument
    request: tuple[Source | None, Reading]
    plan: tuple[Source | None, Reading]
    model: tuple[Source | None, Reading]
    content: tuple[tuple[Source, Reading], ...]

    @property
    def saying_so(self) -> list[tuple[Source, Reading]]:
        """The retrieved content that has the call's value."""
        return [(source, said) for source, said in self.content if said.says == "agrees"]


def listen(case: Case, argument: Argument) -> Heard:
    plan = case.plan[0] if case.plan and not case.stale else None
    request = case.request[0] if case.request else None
    return Heard(
        case,
        argument,
        (request, read(case, argument, request) if request else SILENT),
        (plan, read(case, argument, plan) if plan else SILENT),
        (case.model, read(case, argument, case.model) if case.model else SILENT),
        tuple((source, read(case, argument, source)) for source in case.content),
    )


def expected_of(heard: Heard) -> tuple[Any, str]:
    """What the value should have been, and how the call's stands to it; '' when nothing departs."""
    request, plan, model = (each[1] for each in (heard.request, heard.plan, heard.model))
    if request.says == "agrees":
        return None, ""
    for said in (request, plan):
        if said.says == "departs":
            return said.value, said.relation
    meant = _meant_instead(heard)
    if meant is not None:
        return meant, "different"
    if model.says == "departs":
        return model.value, model.relation
    if heard.argument.kind == "amount":
        return _vouched(heard)
    return None, "unsaid" if _is_unsaid(heard) else ""


def _meant_instead(heard: Heard) -> Any:
    """The value of the content that the request's words name, where the call has its neighbour."""
    if heard.argument.kind in ("boolean", "tool", "text"):
        return None
    asked = " ".join(
        source.text or "" for source in (heard.request[0], heard.plan[0]) if source is not None
    )
    for source, _ in heard.saying_so:
        value, key = heard.argument.value, heard.argument.key
        found = asked_instead(source.text or "", asked, value, key)
        if found is not None and could_be(heard.argument, found):
            return found.text.strip()
    return None


def _is_unsaid(heard: Heard) -> bool:
    """Whether an address is there that nobody had said: not the user, the plan, or any content."""
    if not heard.argument.addressed or not (heard.case.request and heard.plan[1].says == "silent"):
        return False
    return not heard.saying_so and not heard.case.unread and not heard.case.unread_content


def _vouched(heard: Heard) -> tuple[Any, str]:
    """The amount of trusted content, where none has the call's."""
    if any(source.trusted for source, _ in heard.saying_so):
        return None, ""
    for source, said in heard.content:
        if source.trusted and said.says == "departs":
            return said.value, said.relation
    return None, ""


class Injected(Struct, frozen=True):
    source: Source
    quote: str


def injected_by(heard: Heard, expected: Any) -> Injected | None:
    """The first content that gives an order for the call's value, where the user did not."""
    if heard.request[1].says == "agrees":
        return None
    vouched = any(source.trusted and not _commanded(heard, source) for source, _ in heard.saying_so)
    for source in heard.case.content:
        if source.trusted and expected is None:
            continue
        quote = _commanded(heard, source, plainly=expected is None)
        if quote is not None and not (vouched and expected is None):
            return Injected(source, quote)
    return None


def _commanded(heard: Heard, source: Source, *, plainly: bool = False) -> str | None:
    """The sentence of a content that orders the call's value."""
    text = source.text or ""
    if not mentions(heard.argument, text + hidden(text[:HIDDEN_IN])):
        return None
    for sentence in ordering(text, plainly=plainly):
        part = Source("content", source.seq, source.part, sentence)
        if read(heard.case, heard.argument, part).says == "agrees":
            return quoted(sentence)
    return None
