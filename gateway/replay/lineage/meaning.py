"""What an argument should have been by all that was heard, and whether an order explains it."""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from gateway.intent.v1.attribution_tone import hidden
from gateway.replay.lineage.hard_values import could_be, mentions
from gateway.replay.lineage.hearing import Heard
from gateway.replay.lineage.instructions import HIDDEN_IN, ordering
from gateway.replay.lineage.labels import asked_instead
from gateway.replay.lineage.reading import read
from gateway.replay.lineage.sources import Source
from gateway.replay.quoting import quoted


def expected_of(heard: Heard) -> tuple[Any, str]:
    """What the value should have been, and how the call's stands to it; '' when nothing departs.

    What the model thought is asked nothing: it is no authority.
    """
    request, plan, model = (each[1] for each in (heard.request, heard.plan, heard.model))
    if request.says == "agrees" or (request.says == "silent" and heard.passed[1].says == "agrees"):
        return None, ""
    for said in (request, heard.passed[1], plan):
        if said.says == "departs":
            return said.value, said.relation
    meant = _meant_instead(heard) if heard.ruling is None else None
    if meant is not None:
        return meant, "different"
    if model.says == "departs":
        return model.value, model.relation
    if heard.ruling is not None:
        return None, ""
    return _by_content_or_rule(heard)


def _by_content_or_rule(heard: Heard) -> tuple[Any, str]:
    """What trusted content or the system prompt says, where nobody has asked for anything."""
    if heard.argument.kind == "amount" and (vouched := _vouched(heard))[1]:
        return vouched
    if _said_by_nobody(heard):
        for _, said in heard.system:
            if said.says == "departs":
                return said.value, said.relation
    return None, "unsaid" if _is_unsaid(heard) else ""


def _said_by_nobody(heard: Heard) -> bool:
    """Whether nothing that was recorded has the call's value, but for what the model said."""
    said = (heard.plan[1], *(each for _, each in (*heard.handed, *heard.content)))
    return not heard.known and all(each.says != "agrees" for each in said)


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
    case = heard.case
    return _said_by_nobody(heard) and not (case.unread or case.unread_content or case.lost)


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
    if heard.request[1].says == "agrees" or (heard.ruling is not None and expected is None):
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
