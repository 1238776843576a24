"""Names and ids that look like what they are.

Rules, counters and people compare names, so two that look alike must be equal: a name is written
in Unicode's composed form (NFC), shows every character it has, and neither begins nor ends with
white space. One that is not is refused rather than repaired, so what is stored is what was sent.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator
from typing import Final, get_args

from gateway.domain.check import ActionCheck, ToolRef
from gateway.domain.observations import Observation
from gateway.errors import BadRequest

# Control characters; those without a look of their own (bidirectional overrides, zero-width
# characters, tags); separators of lines and paragraphs.
_HIDDEN: Final = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})

# What an observation names something by. Its other texts are content, and may be any text.
_NAMING: Final = frozenset(
    [
        *("turn_id", "action_id", "parent_id", "id", "child_run_id", "decision_id", "tool"),
        *("to_agent", "agent_id", "path", "retry_owner", "store"),
    ]
)
_NAMING_FIELDS: Final[dict[type, tuple[str, ...]]] = {
    kind: tuple(field for field in kind.__struct_fields__ if field in _NAMING)
    for kind in get_args(Observation)
}


def canonical_name(text: str, pointer: str | None = None) -> str:
    """The same text, when it is fit to be a name. Raises BadRequest `bad_name` otherwise."""
    flaw = None if _is_plain(text) else _flaw(text)
    if flaw is not None:
        raise BadRequest("bad_name", flaw, pointer=pointer)
    return text


def check_names(check: ActionCheck) -> None:
    """Refuse a check with a tool name or an id that is not canonical: BadRequest `bad_name`."""
    if _all_plain(check):
        return
    for pointer, text in _names(check):
        if text is not None and not _is_plain(text):
            canonical_name(text, pointer)
    for index, item in enumerate(check.context):
        canonical_name(item.id or "", f"/context/{index}/id")
        canonical_name(item.ref or "", f"/context/{index}/ref")
    for index, past in enumerate(check.history):
        canonical_name(past.tool, f"/history/{index}/tool")
    for index, tool in enumerate(check.tools_available):
        if isinstance(tool, ToolRef):
            canonical_name(tool.name, f"/tools_available/{index}/name")
        else:
            canonical_name(tool, f"/tools_available/{index}")
    check_observed_names(check.events, "/events")


def check_observed_names(observations: Iterable[Observation], pointer: str) -> None:
    """The same for observations; `pointer` is that of their array."""
    for index, seen in enumerate(observations):
        for field in _NAMING_FIELDS[type(seen)]:
            text = getattr(seen, field)
            if text is not None and not _is_plain(text):
                canonical_name(text, f"{pointer}/{index}/{field}")


def _names(check: ActionCheck) -> Iterator[tuple[str, str | None]]:
    action, run = check.action, check.run
    yield "/action/tool", action.tool
    yield "/action/id", action.id
    yield "/action/attempt", action.attempt
    yield "/action/call_id", action.call_id
    yield "/action/parent_id", action.parent_id
    yield "/run/id", run.id
    yield "/run/agent_id", run.agent_id
    yield "/run/turn_id", run.turn_id
    yield "/run/parent_run_id", run.parent_run_id
    yield "/run/user_id", run.user_id
    yield "/approval_id", check.approval_id
    if action.amount is not None:
        yield "/action/amount/currency", action.amount.currency
    if action.mcp is not None:
        yield "/action/mcp/client", action.mcp.client
        yield "/action/mcp/server", action.mcp.server
    if check.request is not None and check.request.plan is not None:
        yield "/request/plan/tool", check.request.plan.tool


def _all_plain(check: ActionCheck) -> bool:
    """The quick answer for nearly every check: all its names in one are visible ASCII."""
    action, run = check.action, check.run
    if check.events or action.mcp or action.amount:
        return False
    names = [
        action.tool,
        *(action.id, action.attempt, action.call_id, action.parent_id, check.approval_id),
        *(run.id, run.agent_id, run.turn_id, run.parent_run_id, run.user_id),
        *(item.id for item in check.context),
        *(item.ref for item in check.context),
        *(past.tool for past in check.history),
        *(tool if isinstance(tool, str) else tool.name for tool in check.tools_available),
    ]
    if check.request is not None and check.request.plan is not None:
        names.append(check.request.plan.tool)
    joined = "".join(filter(None, names))
    return joined.isascii() and joined.isprintable() and " " not in joined


def _is_plain(text: str) -> bool:
    """The quick answer for nearly every name: visible ASCII without a space at its ends."""
    return text.isascii() and text.isprintable() and text[:1] != " " and text[-1:] != " "


def _flaw(text: str) -> str | None:
    """What keeps a text from being a name, for the person who has to mend it."""
    if text != text.strip():
        return "A name neither begins nor ends with white space."
    for character in text:
        if unicodedata.category(character) in _HIDDEN:
            return f"A name does not hold the invisible character U+{ord(character):04X}."
    if not unicodedata.is_normalized("NFC", text):
        return "A name is in Unicode's composed form (NFC)."
    return None
