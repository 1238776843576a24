"""Renders the reference pages from the code. `python -m tests.docs.reference` writes them."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec

from gateway.api.problem_codes import CODES
from gateway.config import PREFIX, Settings
from gateway.domain import fail_matrix
from gateway.domain.ruleset import Environment
from gateway.domain.verdicts import SIDE_EFFECTS
from gateway.policies.manifest import environment, parse
from gateway.telemetry import Metrics

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "gateway" / "reference"
README = ROOT / "README.md"
BEGIN = "<!-- Made from the code by `make reference`: fail modes. -->"
END = "<!-- End of the fail modes. -->"


def settings() -> str:
    """One row a setting: its variable, default and meaning, from the struct and its docstring."""
    meanings = dict(re.findall(r"^    ([a-z_, ]+): (.+)$", Settings.__doc__ or "", re.MULTILINE))
    told = {name.strip(): text for names, text in meanings.items() for name in names.split(",")}
    rows = [
        f"| `{field.name}` | `{PREFIX}{field.name.upper()}` | {_default(field.default)} |"
        f" {told[field.name]} |"
        for field in msgspec.structs.fields(Settings)
    ]
    return _page(
        "Settings",
        "A flag of the command wins over the variable, that over `checkrein.toml`, that over the"
        " default. An unknown or wrong one stops the gateway with its name. `checkrein config"
        " show` tells what counts here, and why.",
        "| setting | variable | default | meaning |\n| --- | --- | --- | --- |",
        rows,
    )


def problems() -> str:
    """One row a problem code."""
    rows = [
        f"| `{code}` | {doc.status} | {doc.meaning} | {doc.what_to_do} |"
        for code, doc in sorted(CODES.items())
    ]
    return _page(
        "Problems",
        "Every refusal is a problem document (RFC 9457) with one of these codes, a `detail`, a"
        " `request_id`, and for a bad body `errors` with a JSON Pointer. A decision is never a"
        " problem: it is 200, whatever it says.",
        "| code | status | meaning | what to do |\n| --- | --- | --- | --- |",
        rows,
    )


def metrics() -> str:
    """One row a metric family."""
    rows = [
        f"| `{family.name}` | {family.type} | {family.documentation} |"
        for family in sorted(Metrics().registry.collect(), key=lambda family: family.name)
    ]
    return _page(
        "Metrics",
        "Prometheus metrics are served on a port of their own (`metrics_port`). Labels are closed"
        " vocabularies: never a tool, an agent or a project. Counters appear with the ending"
        " `_total`.",
        "| metric | type | meaning |\n| --- | --- | --- |",
        rows,
    )


def fail_modes() -> str:
    """A row a failing part, a column a shipped environment, from the matrix that the code obeys."""
    written, _, problems = parse((ROOT / "policies" / "policy.yaml").read_text(encoding="utf-8"))
    assert written is not None, problems
    environments = {name: environment(each) for name, each in written.environments.items()}
    head = f"| what fails | {' | '.join(environments)} |"
    rows = [
        f"| {fail_matrix.MEANINGS[part]} | "
        + " | ".join(_cell(part, name, each) for name, each in environments.items())
        + " |"
        for part in fail_matrix.PARTS
    ]
    return "\n".join([head, "| --- " * (len(environments) + 1) + "|", *rows])


def _cell(part: fail_matrix.Part, name: str, each: Environment) -> str:
    """One text where all side effects fare alike, else one for each group of them."""
    groups: dict[str, list[str]] = {}
    for effect in SIDE_EFFECTS:
        told = fail_matrix.consequence(part, name, each, effect).told
        groups.setdefault(told, []).append(effect)
    if len(groups) == 1:
        return next(iter(groups))
    return "; ".join(f"{', '.join(effects)}: {told}" for told, effects in groups.items())


def readme() -> str:
    """The README with its generated parts written again."""
    text = README.read_text(encoding="utf-8")
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    assert begin
    assert end
    return f"{before}{begin}\n{fail_modes()}\n{end}{after}"


PAGES = {"settings.md": settings, "problems.md": problems, "metrics.md": metrics}


def _default(value: object) -> str:
    return "none" if value is None else f"`{value}`"


def _page(title: str, text: str, head: str, rows: list[str]) -> str:
    made = "<!-- Made from the code by `make reference`. -->"
    return "\n".join([f"# {title}", "", made, "", text, "", head, *rows, ""])


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for name, render in PAGES.items():
        (FOLDER / name).write_text(render(), encoding="utf-8")
    README.write_text(readme(), encoding="utf-8")
