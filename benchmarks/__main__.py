"""`make bench`: a part of the table in one run, as Markdown and as JSON.

python -m benchmarks [--production | --intent | --replay | --audit | --queries] [--short]
    [--json FILE]
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from benchmarks import assessed, embedded, evidence, production, queries, replayed
from benchmarks.machine import load, machine
from benchmarks.saturate import need_wrk

SECONDS = 10
SHORT_SECONDS = 3
PARTS: dict[str | None, Any] = {
    None: embedded,
    "production": production,
    "intent": assessed,
    "replay": replayed,
    "audit": evidence,
    "queries": queries,
}
# These send nothing over HTTP.
WITHOUT_WRK = {"replay", "audit", "queries"}


def main() -> None:
    """Measure everything, print the table, write the JSON."""
    options = _options()
    part = PARTS[options.part]
    if options.part not in WITHOUT_WRK:
        need_wrk()
    found: dict[str, Any] = {"machine": machine(), "load_before": load()}
    found |= part.measure(SHORT_SECONDS if options.short else SECONDS)
    if options.json:
        Path(options.json).write_text(json.dumps(found, indent=1) + "\n")
    print(_heading(found))
    print()
    print(part.table(found))


def _heading(found: dict[str, Any]) -> str:
    """What the figures were measured on, and how much else was going on before."""
    on = found["machine"]
    return (
        f"{on['cores']} cores ({on['cpu']}), Linux {on['kernel']}, Python {on['python']}, "
        f"{on['day']}; load before: {found['load_before']:.1f}"
    )


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="benchmarks", description=__doc__)
    which = parser.add_mutually_exclusive_group()
    for name, told in (
        ("production", "on Redis and PostgreSQL"),
        ("intent", "the Intent Guard"),
        ("replay", "what is read and judged again"),
        ("audit", "export and verification"),
        ("queries", "lists on a million events"),
    ):
        which.add_argument(f"--{name}", action="store_const", const=name, dest="part", help=told)
    parser.add_argument("--short", action="store_true", help="three seconds instead of ten each")
    parser.add_argument("--json", metavar="FILE", help="write the figures there as well")
    return parser.parse_args()


if __name__ == "__main__":
    main()
