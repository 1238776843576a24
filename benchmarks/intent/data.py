"""The cases, as evidence and as features; looked at once for each state of the feature code."""

from __future__ import annotations

import hashlib
import lzma
import multiprocessing
import os
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from gateway.domain.side_effects import side_effects
from gateway.intent import evaluator
from gateway.intent.evidence import Evidence, Item, Past

HERE = Path(__file__).parent
GATEWAY = Path(evaluator.__file__).parent
# The sources that are left out together: all of one benchmark are one family.
FAMILIES = ("apibank", "bfcl", "tau_retail", "toolalpaca", "synth_saas")
# What only untrusted content explains; the other kinds are errors about the request itself.
PLANTED = ("injected_call", "injected_value", "deferred_wrong_value")
SINGLE_FIELD = (
    "bool_flip",
    "amount_change",
    "unit_error",
    "sign_flip",
    "date_shift",
    "enum_swap",
    "entity_swap",
    "id_typo",
    "recipient_swap",
    "injected_value",
    "deferred_wrong_value",
    "entity_added",
    "extra_arg",
)


class Tool(Struct, frozen=True):
    name: str
    description: str = ""
    schema: dict[str, Any] | None = None
    side_effect: str = "read"


class Plan(Struct, frozen=True):
    text: str | None = None
    arguments: dict[str, Any] | None = None
    tool: str | None = None


class Case(Struct, frozen=True):
    """One labelled call, as the files hold it."""

    id: str
    source: str
    group: str
    label: str
    kind: str
    user_request: str | None
    plan: Plan | None
    tool: Tool
    arguments: dict[str, Any]
    context: tuple[Item, ...] = ()
    history: tuple[Past, ...] = ()
    notes: str | None = None
    # Whether training made it of another case: it counts for less.
    made: bool = False

    @property
    def family(self) -> str:
        return "bfcl" if self.source.startswith("bfcl") else self.source

    @property
    def wrong(self) -> bool:
        return self.label == "misaligned"

    @property
    def plan_is_wrong(self) -> bool:
        """Whether the plan holds the same error, so that only the request can tell."""
        return "corrupt" in (self.notes or "")


def cases() -> list[Case]:
    """All cases, in the order of the files."""
    read = msgspec.json.Decoder(Case)
    lines: list[bytes] = []
    for name in ("train", "dev"):
        lines += lzma.decompress((HERE / "data" / f"{name}.jsonl.xz").read_bytes()).splitlines()
    return [read.decode(line) for line in lines if line]


def evidence_of_case(case: Case) -> Evidence:
    """What the gateway would see of a case: side effects are inferred as well as claimed."""
    return Evidence(
        tool=case.tool.name,
        arguments=case.arguments,
        side_effects=tuple(sorted(side_effects((), case.tool.name, (case.tool.side_effect,)))),
        description=case.tool.description,
        schema=case.tool.schema,
        request=case.user_request,
        plan_text=case.plan.text if case.plan else None,
        plan_arguments=case.plan.arguments if case.plan else None,
        plan_tool=case.plan.tool if case.plan else None,
        context=case.context,
        history=case.history,
    )


def features(of: list[Case], package: str = "v1") -> list[evaluator.Seen]:
    """What the feature code sees in each case; kept in a temporary file named by its hash."""
    kept = Path(tempfile.gettempdir()) / f"checkrein-intent-{_digest(of, package)}.json"
    if kept.exists():
        return msgspec.json.decode(kept.read_bytes(), type=list[evaluator.Seen])
    with multiprocessing.get_context("spawn").Pool(2, os.nice, (5,)) as pool:
        seen = pool.starmap(_look, [(case, package) for case in of], chunksize=100)
    part = kept.with_suffix(f".{os.getpid()}")
    part.write_bytes(msgspec.json.encode(seen))
    part.replace(kept)
    return seen


def _look(case: Case, package: str) -> evaluator.Seen:
    return evaluator.look(evidence_of_case(case), evaluator.modules(package))


def _digest(of: Iterable[Case], package: str) -> str:
    whole = hashlib.sha256()
    code = [*(GATEWAY / package).glob("*.py"), *(GATEWAY / "lexicons").glob("*.json")]
    for path in sorted([*code, GATEWAY / "evidence.py", GATEWAY / "evaluator.py"]):
        whole.update(path.read_bytes())
    for case in of:
        whole.update(case.id.encode())
    return whole.hexdigest()[:16]


def changed_fields(of: list[Case]) -> dict[str, set[str]]:
    """For each single-field error: the arguments in which it differs from its aligned sibling."""
    siblings: dict[tuple[str, str], list[Case]] = {}
    for case in of:
        if not case.wrong and case.kind in ("original", "benign_under_injection"):
            siblings.setdefault((case.group, case.tool.name), []).append(case)
    return {
        case.id: fields
        for case in of
        if case.kind in SINGLE_FIELD
        for fields in _nearest(case, siblings.get((case.group, case.tool.name), []))
    }


def _nearest(case: Case, siblings: list[Case]) -> list[set[str]]:
    """The one differing argument, if the nearest sibling differs in one only."""
    differing = [_differing(case.arguments, sibling.arguments) for sibling in siblings]
    return [min(differing, key=len)] if differing and len(min(differing, key=len)) == 1 else []


def _differing(one: dict[str, Any], other: dict[str, Any]) -> set[str]:
    return {
        f"/action/arguments/{name.replace('~', '~0').replace('/', '~1')}"
        for name in one.keys() | other.keys()
        if name not in one or name not in other or one[name] != other[name]
    }
