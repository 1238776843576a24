"""What words say of the tool itself: whether they ask for another act than it does."""

from __future__ import annotations

import re
from typing import Final

from gateway.intent.v1.plan_text import text_differences
from gateway.intent.v1.plan_tool import verb_of
from gateway.intent.v1.values_words import words
from gateway.replay.lineage.arguments import SILENT, Reading
from gateway.replay.lineage.model_answers import same_tool
from gateway.replay.lineage.sources import Case, Source
from gateway.replay.quoting import around

_TOLD: Final = 0.5
_SAID_WORDS: Final = 512
_READS: Final = frozenset(
    {
        "get",
        "read",
        "list",
        "find",
        "search",
        "query",
        "fetch",
        "lookup",
        "check",
        "show",
        "view",
        "retrieve",
    }
)
# Verbs whose particle makes another act of them: `pay back` does not pay.
_PHRASES: Final = re.compile(
    r"\b(?:get(?:ting)? rid of|(?:pay|give|send|put|bring|take|roll|roll(?:ed|ing))\b[^.\n]{0,40}?"
    r"\b(?:back|down|off|out|away)|call(?:ed|ing)? off|shut\b[^.\n]{0,40}?\bdown|"
    r"turn\b[^.\n]{0,40}?\b(?:on|off))\b",
    re.IGNORECASE,
)


def tool_reading(case: Case, source: Source) -> Reading:
    """Whether a source names another tool, or its words another act."""
    if source.tool is not None:
        if same_tool(source.tool, case.tool):
            return Reading("agrees", source.tool, structured=True)
        if _only_reads(case):
            return SILENT
        return Reading("departs", source.tool, "different", structured=True)
    if source.station not in ("request", "plan") or not source.text or _only_reads(case):
        return SILENT
    if _turned_by_flag(case) or _may_mean_it(case, source.text):
        return SILENT
    for each in text_differences(source.text, case.tool, []):
        if each.kind == "text.verb" and each.weight >= _TOLD:
            return Reading("departs", None, "opposite", around(source.text, 0, 0))
    return SILENT


def of_another_tool(case: Case, source: Source) -> bool:
    return source.tool is not None and not same_tool(source.tool, case.tool)


def _only_reads(case: Case) -> bool:
    """Looking things up is a step towards anything, so no words speak against it."""
    effects = set(case.side_effects)
    return effects == {"read"} or ((not effects or "read" in effects) and _looks(case.tool))


def _looks(tool: str) -> bool:
    """Whether the first verb of a tool's name is one of looking things up."""
    named = words(tool[:128])
    first = next((word for word in named if word in _READS or verb_of(word)), None)
    return first in _READS


def _turned_by_flag(case: Case) -> bool:
    """Whether the act depends on a flag (`is_refund`), which is traced by itself."""
    return any(isinstance(value, bool) for value in case.arguments.values())


def _may_mean_it(case: Case, text: str) -> bool:
    """Whether the text has the tool's own verb, or one that cannot be told by itself."""
    does = {word for word in words(case.tool[:128]) if verb_of(word)}
    said = set(words(text[:4_096])[:_SAID_WORDS])
    return bool(does & said) or _PHRASES.search(text[:4_096]) is not None
