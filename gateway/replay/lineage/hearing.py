"""What every station says about one argument."""

from __future__ import annotations

from msgspec import Struct
from msgspec.structs import replace

from gateway.replay.lineage.arguments import SILENT, Argument, Reading
from gateway.replay.lineage.reading import read
from gateway.replay.lineage.sentences import ruled, thought_of
from gateway.replay.lineage.sources import Case, Passed, Source


class Heard(Struct, frozen=True):
    """Everything that was read about one argument.

    `system` is what standing instructions say, `reasoning` what the model thought, `handed` what
    one agent told another in this run. `passed` is what the run above told this one, `known` what
    that run had besides.
    """

    case: Case
    argument: Argument
    request: tuple[Source | None, Reading]
    plan: tuple[Source | None, Reading]
    model: tuple[Source | None, Reading]
    content: tuple[tuple[Source, Reading], ...]
    system: tuple[tuple[Source, Reading], ...] = ()
    reasoning: tuple[tuple[Source, Reading], ...] = ()
    handed: tuple[tuple[Passed, Reading], ...] = ()
    passed: tuple[Source | None, Reading] = (None, SILENT)
    known: tuple[tuple[Source, Reading], ...] = ()
    # The words that passed the work on, where it is not the call itself that is looked at.
    spoken: tuple[Source | None, Reading] = (None, SILENT)

    @property
    def saying_so(self) -> list[tuple[Source, Reading]]:
        """The retrieved content that has the call's value."""
        return [(source, said) for source, said in self.content if said.says == "agrees"]

    @property
    def ruling(self) -> tuple[Source, Reading] | None:
        """The standing instruction that has the call's value."""
        return next((each for each in self.system if each[1].says == "agrees"), None)

    @property
    def thinking(self) -> tuple[Source, Reading] | None:
        """Where the model's own words have the call's value."""
        return next((each for each in self.reasoning if each[1].says == "agrees"), None)

    @property
    def told_otherwise(self) -> bool:
        """Whether whoever asked for the call said something else."""
        return "departs" in (self.request[1].says, self.passed[1].says)


def listen(case: Case, argument: Argument) -> Heard:
    plan = case.plan[0] if case.plan and not case.stale else None
    request = case.request[0] if case.request else None
    above = case.above[0] if case.above and argument.kind != "tool" else None
    words = above.words if above else None
    return Heard(
        case,
        argument,
        (request, read(case, argument, request) if request else SILENT),
        (plan, read(case, argument, plan) if plan else SILENT),
        (case.model, read(case, argument, case.model) if case.model else SILENT),
        tuple((source, read(case, argument, source)) for source in case.content),
        tuple((source, ruled(case, argument, source)) for source in case.system),
        (),
        tuple((each, read(case, argument, each.words)) for each in case.handed if each.words),
        (words, read(case, argument, words) if words else SILENT),
        _known(case, argument, above) if above else (),
    )


def thought_over(heard: Heard) -> Heard:
    """With what the model thought, which is only asked once a value departs."""
    case, argument = heard.case, heard.argument
    said = tuple((source, thought_of(case, argument, source)) for source in case.reasoning)
    return replace(heard, reasoning=said)


def _known(case: Case, argument: Argument, above: Passed) -> tuple[tuple[Source, Reading], ...]:
    """What the run above had that may explain a value, though it did not pass it on in words."""
    had = (*above.case.request, *above.case.content, *above.case.plan)
    said = [(source, read(case, argument, source)) for source in had]
    said += [(source, ruled(case, argument, source)) for source in above.case.system]
    return tuple((source, reading) for source, reading in said if reading.says == "agrees")
