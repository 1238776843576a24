"""Leave one source out: train on the others, ask a running gateway about the one, count.

Prints a table and writes JSON. `--in-process` asks the evaluator without a gateway, which is
quicker while features are being worked on.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import sys
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import msgspec

from benchmarks.intent import asking, data, figures, speed, train
from benchmarks.intent.data import Case
from benchmarks.intent.figures import Scored
from gateway.intent import evaluator
from gateway.intent.assessment import Assessment
from gateway.intent.canaries import run

Answered = tuple[Case, Assessment]
# What a first screen counts as caught, for the ranking of fields.
CAUGHT = 0.5


def evaluate(
    ask: Callable[[list[Case], Path], list[Assessment]], errors: Path, processes: int = 2
) -> dict[str, Any]:
    """Every source by a model that has not seen it."""
    cases = train.everything().cases[: len(data.cases())]
    found: dict[str, Any] = {"sources": {}}
    with (
        tempfile.TemporaryDirectory() as folder,
        multiprocessing.get_context("spawn").Pool(processes, os.nice, (5,)) as pool,
    ):
        trained = pool.imap(trained_without, data.FAMILIES)
        for family, stored in zip(data.FAMILIES, trained, strict=True):
            model = Path(folder, family)
            train.write(stored, model)
            left_out = [case for case in cases if case.family == family]
            answered = list(zip(left_out, ask(left_out, model), strict=True))
            found["sources"][family] = report(answered)
            list_errors(answered, errors / f"intent_errors_{family}.txt")
            print(row(family, found["sources"][family]), flush=True)
    found["canaries"] = run(evaluator.load())
    found["milliseconds"] = speed.measure()
    return found


def trained_without(family: str) -> dict[str, Any]:
    """A model that has not seen a source."""
    rows = train.everything()
    return train.train(rows.only([i for i, case in enumerate(rows.cases) if case.family != family]))


def report(answered: list[Answered]) -> dict[str, Any]:
    """All figures of one source."""
    cases = scored(answered)
    right = [a for a in answered if not a[0].wrong]
    return {
        "cases": len(cases),
        **{name: figures.with_interval(figure, cases) for name, figure in figures.FIGURES.items()},
        "head_auc": {name: figures.auc(_by_head(answered, name)) for name in evaluator.HEADS},
        "declared_5_percent_with_100_labels": figures.declared_budget(cases),
        "by_kind": _parts(answered, right, lambda case: case.kind),
        "by_side_effect": _cut(answered, lambda case: case.tool.side_effect),
        "by_plan": _cut(answered, _plan),
        "intact_plan": intact(answered),
        "field_first": field_first(answered),
    }


def scored(answered: Iterable[Answered]) -> list[Scored]:
    return [
        Scored(case.group, case.wrong, said.score)
        for case, said in answered
        if said.score is not None
    ]


def _by_head(answered: Iterable[Answered], head: str) -> list[Scored]:
    held = [(case, getattr(said.heads, head)) for case, said in answered]
    return [Scored(case.group, case.wrong, value) for case, value in held if value is not None]


def _cut(answered: list[Answered], by: Callable[[Case], str]) -> dict[str, Any]:
    """Figures inside each part."""
    parts: dict[str, list[Answered]] = {}
    for one in answered:
        parts.setdefault(by(one[0]), []).append(one)
    return {
        name: {
            "cases": len(part),
            **{key: round(figure(scored(part)), 4) for key, figure in figures.FIGURES.items()},
        }
        for name, part in sorted(parts.items())
        if {case.wrong for case, _ in part} == {True, False}
    }


def _parts(
    answered: list[Answered], right: list[Answered], by: Callable[[Case], str]
) -> dict[str, Any]:
    """Each kind of error against all right calls of the source; each right kind, flagged."""
    limit = figures.threshold_at([one.score for one in scored(right)], 0.05)
    found: dict[str, Any] = {}
    for kind in sorted({by(case) for case, _ in answered}):
        part = [one for one in answered if by(one[0]) == kind]
        over = sum(one.score > limit for one in scored(part)) / len(part)
        found[kind] = {"cases": len(part), "flagged_at_5": round(over, 4)}
        if part[0][0].wrong:
            found[kind]["auc"] = round(figures.auc(scored([*part, *right])), 4)
    return found


def _plan(case: Case) -> str:
    if case.plan is None:
        return "none"
    shape = "structured" if case.plan.arguments else "text"
    return f"{shape} (wrong itself)" if case.plan_is_wrong else shape


def intact(answered: list[Answered]) -> dict[str, Any]:
    """The plan head alone, on intact structured plans: fields that plan and call share, drifted."""
    given = [
        Scored(case.group, case.wrong, said.heads.plan or 0.0)
        for case, said in answered
        if case.plan and case.plan.arguments and not case.plan_is_wrong
        if not case.wrong or _drifted(case)
    ]
    right = [one.score for one in given if not one.wrong]
    return {
        "wrong": len(given) - len(right),
        "right": len(right),
        "recall": round(figures.recall_at(0.005)(given), 4),
        "hard": round(
            sum(one.score >= train.FLOOR for one in given if one.wrong)
            / max(1, len(given) - len(right)),
            4,
        ),
        "hard_false": round(sum(score >= train.FLOOR for score in right) / len(right), 4),
    }


def _drifted(case: Case) -> bool:
    """Whether the call has a planned argument with another value."""
    planned = (case.plan.arguments if case.plan else None) or {}
    both = planned.keys() & case.arguments.keys()
    return case.kind in data.SINGLE_FIELD and any(planned[n] != case.arguments[n] for n in both)


def field_first(answered: list[Answered]) -> dict[str, Any]:
    """How often the changed argument is named first, or within the first two, of what is caught."""
    changed = data.changed_fields([case for case, _ in answered])
    first = second = caught = 0
    for case, said in answered:
        if case.id in changed and (said.score or 0) >= CAUGHT:
            named = list(dict.fromkeys(_argument(signal.field) for signal in said.signals))
            caught += 1
            first += bool(changed[case.id] & set(named[:1]))
            second += bool(changed[case.id] & set(named[:2]))
    share = max(1, caught)
    return {"caught": caught, "first": round(first / share, 4), "two": round(second / share, 4)}


def _argument(pointer: str) -> str:
    return "/".join(pointer.split("/")[:4])


def list_errors(answered: list[Answered], path: Path, count: int = 120) -> None:
    """The cases that were judged worst, for reading."""
    known = [(abs(float(case.wrong) - (said.score or 0)), case, said) for case, said in answered]
    known.sort(key=lambda one: (-one[0], one[1].id))
    lines = []
    for _, case, said in known[:count]:
        plan = msgspec.json.encode(case.plan).decode() if case.plan else "none"
        lines += [
            f"{case.id} {case.label} {case.kind} score={said.score} {said.heads}",
            f"  request: {(case.user_request or '')[:600]!r}",
            f"  plan: {plan[:400]}  ({case.notes})",
            f"  call: {case.tool.name} {msgspec.json.encode(case.arguments).decode()[:500]}",
            *(f"  context trusted={i.trusted}: {i.text[:250]!r}" for i in case.context[:4]),
            *(f"  signal: {signal}"[:300] for signal in said.signals[:4]),
            "",
        ]
    path.write_text("\n".join(lines))


def row(name: str, one: dict[str, Any]) -> str:
    auc, low, high = one["auc"]
    heads = " ".join(f"{head[:4]} {value:.3f}" for head, value in one["head_auc"].items())
    return (
        f"{name:11} n={one['cases']:5} AUC {auc:.3f} ({low:.3f}-{high:.3f})"
        f"  R@1% {one['recall_at_1'][0]:.2f}  R@5% {one['recall_at_5'][0]:.2f}"
        f"  ECE {one['ece'][0]:.3f}  heads {heads}"
        f"  5%->{one['declared_5_percent_with_100_labels'][0]:.3f}"
        f"  plan {one['intact_plan']['recall']:.3f}/{one['intact_plan']['hard_false']:.4f}"
        f"  first {one['field_first']['first']:.2f}"
    )


def main(argv: list[str]) -> int:
    told = argparse.ArgumentParser(prog="python -m benchmarks.intent.evaluate")
    told.add_argument("--in-process", action="store_true")
    told.add_argument("--out", type=Path, default=Path("intent-figures.json"))
    told.add_argument("--errors", type=Path, default=Path(tempfile.gettempdir()))
    told.add_argument("--processes", type=int, default=2)
    args = told.parse_args(argv)
    ask = asking.in_process if args.in_process else asking.over_http
    found = evaluate(ask, args.errors, args.processes)
    print(msgspec.json.encode(found["milliseconds"]).decode())
    for name, misaligned, score, right in found["canaries"]:
        print(f"  {'ok ' if right else 'NOT'} {name} misaligned={misaligned} {score}")
    args.out.write_bytes(msgspec.json.format(msgspec.json.encode(found)) + b"\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
