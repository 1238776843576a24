"""What a simulation itself watched, boundary by boundary: what ran, and what the record answered.

Apart from what was captured of the recorded run, which the recording tells: both are needed to say
what a match means.
"""

from __future__ import annotations

from collections.abc import Sequence

from checkrein.simulating.model_calls import AskedModel
from checkrein.simulating.recording import Boundary, Recording
from checkrein.simulating.serving import Asked

_CHANCE = "seed "


def watched(
    recording: Recording,
    tools: Sequence[Asked],
    models: Sequence[AskedModel],
    refused: int,
    pinned: Sequence[str],
) -> tuple[Boundary, ...]:
    """`stubbed` was answered from the record, `recorded` ran here and was compared, `denied` was
    stopped as it was recorded (or was a connection, refused), `unobserved` had no answer."""
    return (
        _tool(recording, tools),
        _model(models),
        Boundary(
            "network",
            "complete",
            denied=refused,
            reasons=(
                "Other processes, and libraries with connections of their own, are not seen.",
            ),
        ),
        _held("clock", "clock" in pinned, "The clock was this machine's."),
        _held("random", any(one.startswith(_CHANCE) for one in pinned), "Chance was not held."),
    )


def _tool(recording: Recording, tools: Sequence[Asked]) -> Boundary:
    live = sum(asked.live for asked in tools)
    lost = sum(asked.why is not None for asked in tools)
    stopped = sum(
        asked.at >= 0 and asked.why is None and recording.calls[asked.at].outcome == "stopped"
        for asked in tools
    )
    changed = sum(asked.how == "input" and not asked.live and not asked.why for asked in tools)
    reasons = []
    if lost:
        reasons.append(f"The record could not answer {lost} of the calls.")
    if changed:
        reasons.append(
            f"{changed} of the calls had other arguments than recorded: they were answered with "
            "what came of the recorded call, and nobody judged them."
        )
    return Boundary(
        "tool",
        _state(len(tools), bool(lost or changed)),
        recorded=live,
        stubbed=len(tools) - live - lost - stopped,
        denied=stopped,
        unobserved=lost,
        reasons=tuple(reasons),
    )


def _model(models: Sequence[AskedModel]) -> Boundary:
    lost = sum(asked.why is not None for asked in models)
    told = sum(not asked.answered for asked in models)
    reasons = (f"The record could not answer {lost} of the model calls.",) if lost else ()
    return Boundary(
        "model",
        _state(len(models), bool(lost)),
        recorded=told,
        stubbed=len(models) - told - lost,
        unobserved=lost,
        reasons=reasons,
    )


def _state(calls: int, partly: bool) -> str:
    return "unused" if not calls else "partial" if partly else "complete"


def _held(name: str, held: bool, otherwise: str) -> Boundary:
    return (
        Boundary(name, "complete") if held else Boundary(name, "unobserved", reasons=(otherwise,))
    )
