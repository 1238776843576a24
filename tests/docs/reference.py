"""Renders the reference pages from the code. `python -m tests.docs.reference` writes them."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec

from gateway.api.problem_codes import CODES
from gateway.config import PREFIX, Settings
from gateway.telemetry import Metrics

FOLDER = Path(__file__).parents[2] / "gateway" / "reference"


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
