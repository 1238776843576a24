"""`make bench`: a part of the table in one run, as Markdown and as JSON.

python -m benchmarks [--production | --intent | --queries] [--short] [--json FILE]
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from benchmarks import assessed, embedded, production, queries
from benchmarks.machine import load, machine
from benchmarks.saturate import need_wrk

SECONDS = 10
SHORT_SECONDS = 3


def main() -> None:
    """Measure everything, print the table, write the JSON."""
    options = _options()
    part = _part(options)
    if part is not queries:
        need_wrk()
    found: dict[str, Any] = {"machine": machine(), "load_before": load()}
    found |= part.measure(SHORT_SECONDS if options.short else SECONDS)
    if options.json:
        Path(options.json).write_text(json.dumps(found, indent=1) + "\n")
    print(_heading(found))
    print()
    print(part.table(found))


def _part(options: argparse.Namespace) -> Any:
    if options.production:
        return production
    if options.intent:
        return assessed
    return queries if options.queries else embedded


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
    which.add_argument("--production", action="store_true", help="on Redis and PostgreSQL")
    which.add_argument("--intent", action="store_true", help="the Intent Guard")
    which.add_argument("--queries", action="store_true", help="lists on a million events")
    parser.add_argument("--short", action="store_true", help="three seconds instead of ten each")
    parser.add_argument("--json", metavar="FILE", help="write the figures there as well")
    return parser.parse_args()


if __name__ == "__main__":
    main()
