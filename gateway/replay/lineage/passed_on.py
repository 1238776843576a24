"""An argument looked for in the run that passed the work on, instead of in the one that did it.

That run's plan and its model's answer speak of passing on, not of this call: they are read as
words, and the words that passed it on stand in the call's place.
"""

from __future__ import annotations

from msgspec.structs import replace

from gateway.replay.lineage.arguments import SILENT, Reading
from gateway.replay.lineage.hearing import Heard, listen
from gateway.replay.lineage.model_answers import same_tool
from gateway.replay.lineage.reading import read
from gateway.replay.lineage.sources import TEXT_CHARS, Case, Passed, Source, spelled


def heard_where_passed(heard: Heard, passed: Passed) -> Heard:
    """What was heard about the argument when the work was passed on."""
    case = _about(heard.case, passed.case)
    told = listen(case, heard.argument)
    words = passed.words
    spoken = read(case, heard.argument, words) if words else SILENT
    model, answered = told.model
    if model is not None and answered.says == "silent" and _proposed(passed, model):
        # It proposed these very words, without the value.
        told = replace(told, model=(model, Reading("silent", relation="absent")))
    return replace(told, spoken=(words, spoken))


def _proposed(passed: Passed, model: Source) -> bool:
    return model.tool is not None and same_tool(model.tool, passed.case.tool)


def _about(case: Case, above: Case) -> Case:
    """The call, with everything that was known where it was passed on."""
    return replace(
        above,
        tool=case.tool,
        arguments=case.arguments,
        changed=None,
        description=case.description,
        schema=case.schema,
        side_effects=case.side_effects,
        plan=tuple(_worded(each) for each in above.plan),
        model=_worded(above.model) if above.model else None,
        handed=(),
        above=(),
        stale=False,
    )


def _worded(source: Source) -> Source:
    said = spelled(source.arguments) if source.arguments else ""
    text = "\n".join(each for each in (source.text, said) if each)
    return replace(source, text=text[:TEXT_CHARS], arguments=None)
