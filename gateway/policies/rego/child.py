"""The process in which Rego that nobody vouches for is parsed, examined and tried.

Runs as a script, with nothing but its standard input and output. It writes a line for each piece of
work it finished, so that whoever waits knows which piece was its last.
"""

from __future__ import annotations

import os
import resource
import signal
import sys
from typing import Any

MEMORY_BYTES = 1 << 30
# The parser is native code: only a signal stops it.
PIECE_CPU_SECONDS = 1.0
TOTAL_CPU_SECONDS = 60


def main() -> None:
    """Read one request, answer it line by line, end."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CPU, (TOTAL_CPU_SECONDS, TOTAL_CPU_SECONDS))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    sys.path += sys.argv[1].split(os.pathsep)

    import msgspec  # noqa: PLC0415 - after the limits
    import regorus  # noqa: PLC0415

    request = msgspec.json.decode(sys.stdin.buffer.read())
    if "queries" in request:
        _try_out(request, regorus, msgspec.json)
    else:
        _examine(request["modules"], regorus, msgspec.json)


def _examine(modules: dict[str, str], regorus: Any, json: Any) -> None:
    from gateway.policies.rego.examine import examine  # noqa: PLC0415

    trees: dict[str, Any] = {}
    for path, text in modules.items():
        _say(json.encode(_parse(path, text, trees, regorus, json)))
    _say(json.encode(examine(trees)))


def _parse(path: str, text: str, trees: dict[str, Any], regorus: Any, json: Any) -> str:
    """Parse one module into `trees`; the parser's complaint, or nothing."""
    _limit(PIECE_CPU_SECONDS)
    try:
        engine = regorus.Engine()
        engine.add_policy(path, text)
        trees[path] = (json.decode(engine.get_ast_as_json())[0]["ast"], text)
    except (RuntimeError, ValueError) as error:
        return str(error)
    finally:
        _limit(0)
    return ""


def _try_out(request: dict[str, Any], regorus: Any, json: Any) -> None:
    engine = regorus.Engine()
    engine.set_gather_prints(True)
    refusal = _fill(engine, request, json)
    for query in request["queries"]:
        _say(json.encode({"error": refusal} if refusal else _ask(engine.clone(), query)))


def _fill(engine: Any, request: dict[str, Any], json: Any) -> str:
    """Put data and modules into the engine; its complaint, or nothing."""
    try:
        engine.add_data_json(json.encode(request["data"]).decode())
        for path, text in request["modules"].items():
            engine.add_policy(path, text)
    except RuntimeError as error:
        return str(error)
    return ""


def _ask(engine: Any, query: str) -> dict[str, Any]:
    _limit(PIECE_CPU_SECONDS)
    try:
        answer = {"value": engine.eval_rule_as_json(query)}
    except RuntimeError as error:
        answer = {"error": str(error)}
    finally:
        _limit(0)
    return {**answer, "prints": engine.take_prints()}


def _limit(seconds: float) -> None:
    signal.setitimer(signal.ITIMER_PROF, seconds)


def _say(line: bytes) -> None:
    sys.stdout.buffer.write(line + b"\n")
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
