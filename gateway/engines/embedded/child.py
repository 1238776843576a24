"""The evaluator process: it holds prepared Rego engines and answers frames, one at a time.

Runs as a script of the standard library and regorus alone, so that it stays small. The other end of
its socket does the thinking; here, requests are answered in order, and whatever native code does
beyond its limits ends the process.

Requests and replies are as `caged` has them, the payload of a reply is UTF-8 text.

    HELLO     first reply, once regorus is there
    BASE      payload JSON: data that engines share
    PREPARE   payload marshal of (base, count, ((path, text), ...)): an engine for `count` rules
    EVALUATE  payload a frame. With `first` WHOLE, all rules in one query: ALL; should one of them
              fail, the rules one by one. With another `first`, the rules one by one from there
    DROP      forget an engine, FORGET a base

The payload of PREPARE is marshal because that is built in: every import costs memory and start-up.
"""

from __future__ import annotations

import marshal
import os
import sys
from collections.abc import Callable
from typing import Any, Final

if __name__ == "__main__":
    # A script knows no place to import from but the one that it is given.
    sys.path += sys.argv[1].split(os.pathsep)

from gateway.children import caged

BASE, PREPARE, EVALUATE, DROP, FORGET = range(5)
HELLO, DONE, REFUSED, ALL, ONE, FAILED, TOO_LARGE = range(7)
WHOLE: Final = 0xFFFF

ENTRY: Final = "data.checkrein.entry"
# The place and the reason stand first, a trace of the engine's own after them.
COMPLAINT_CHARS: Final = 4096


def main() -> None:
    """Arguments: import path, socket, parent, memory in bytes, CPU seconds (evaluate, prepare),
    reply in bytes, resident memory in bytes."""
    fd, parent, memory, *limits = (float(number) for number in sys.argv[2:])
    caged.follow(int(parent))
    caged.limit_memory(int(memory))

    import regorus  # noqa: PLC0415 - after the limits

    memory_in_use = caged.memory_gauge()
    caged.close_doors()
    _Evaluator(int(fd), regorus, memory_in_use, *limits).serve()


class _Evaluator:
    """The engines, and the one loop that uses them."""

    def __init__(
        self,
        fd: int,
        regorus: Any,
        memory_in_use: Callable[[], int],
        evaluate_seconds: float,
        prepare_seconds: float,
        reply_bytes: float,
        resident_bytes: float,
    ) -> None:
        self._fd = fd
        self._new: Callable[[], Any] = regorus.Engine
        self._memory_in_use = memory_in_use
        self._evaluate_seconds = evaluate_seconds
        self._prepare_seconds = prepare_seconds
        self._reply_bytes = int(reply_bytes)
        self._resident_bytes = int(resident_bytes)
        self._bases: dict[int, Any] = {}
        self._engines: dict[int, tuple[Any, int]] = {}
        self._number = 0

    def serve(self) -> None:
        """Answer until the other end closes."""
        self._reply(HELLO, 0, "")
        for operation, number, key, first, payload in caged.requests(self._fd):
            self._number = number
            self._answer(operation, key, first, payload)

    def _answer(self, operation: int, key: int, first: int, payload: bytearray) -> None:
        if operation == EVALUATE:
            self._evaluate(key, first, payload)
            return
        before = self._memory_in_use()
        caged.limit_cpu(self._prepare_seconds)
        refusal = ""
        try:
            if operation == BASE:
                self._bases[key] = self._base(payload.decode())
            elif operation == PREPARE:
                self._engines[key] = self._prepare(*marshal.loads(payload))  # noqa: S302 - parent's
            else:
                (self._engines if operation == DROP else self._bases).pop(key, None)
        except RuntimeError as error:
            refusal = str(error) or "refused"
        caged.limit_cpu(0)
        # What engines need is no reason to be replaced; a successor would need it too.
        self._resident_bytes += 2 * (self._memory_in_use() - before)
        self._reply(REFUSED if refusal else DONE, 0, refusal)

    def _base(self, data: str) -> Any:
        engine = self._new()
        engine.add_data_json(data)
        return engine

    def _prepare(
        self, base: int, count: int, modules: tuple[tuple[str, str], ...]
    ) -> tuple[Any, int]:
        """An engine that has analysed its modules: `ready` asks for nothing else."""
        engine = self._bases[base].clone()
        for path, text in modules:
            engine.add_policy(path, text)
        engine.set_input_json("{}")
        engine.eval_rule_as_json(f"{ENTRY}.ready")
        return engine, count

    def _evaluate(self, key: int, first: int, frame: bytearray) -> None:
        """Each query has a clone of its own, so that nothing passes from one to the next."""
        known = self._engines.get(key)
        if known is None:
            self._reply(REFUSED, 0, "not prepared")
            return
        prepared, count = known
        caged.limit_cpu(self._evaluate_seconds)
        try:
            engine = prepared.clone()
            engine.set_input_json(frame.decode())
        except (RuntimeError, UnicodeDecodeError):
            self._reply(REFUSED, 0, "")
        else:
            if first != WHOLE or not self._all(engine.clone()):
                for rule in range(0 if first == WHOLE else first, count):
                    self._one(engine.clone(), rule)
        caged.limit_cpu(0)

    def _all(self, engine: Any) -> bool:
        try:
            answer = engine.eval_rule_as_json(f"{ENTRY}.all")
        except RuntimeError:
            return False
        if len(answer) > self._reply_bytes:
            return False
        self._reply(ALL, 0, answer)
        return True

    def _one(self, engine: Any, rule: int) -> None:
        try:
            answer = engine.eval_rule_as_json(f"{ENTRY}.rule_{rule}")
        except RuntimeError as error:
            self._reply(FAILED, rule, str(error)[:COMPLAINT_CHARS])
            return
        if len(answer) > self._reply_bytes:
            self._reply(TOO_LARGE, rule, "")
        else:
            self._reply(ONE, rule, answer)

    def _reply(self, kind: int, rule: int, text: str) -> None:
        if self._number % 16 == 0 and self._memory_in_use() > self._resident_bytes:
            kind |= caged.TIRED
        caged.reply(self._fd, kind, self._number, rule, text.encode())


if __name__ == "__main__":
    main()
