"""The evaluator process: it holds prepared Rego engines and answers frames, one at a time.

Runs as a script of the standard library and regorus alone, so that it stays small. The other end of
its socket does the thinking; here, requests are answered in order, and whatever native code does
beyond its limits ends the process.

A request is REQUEST and a payload, a reply REPLY and a payload of UTF-8 text.

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
import resource
import signal
import struct
import sys
from collections.abc import Callable
from typing import Any, Final

# Length of the payload, operation, number of the request, engine or base, first rule.
REQUEST: Final = struct.Struct("!IBIIH")
# Length of the payload, kind, number of the request, rule.
REPLY: Final = struct.Struct("!IBIH")

BASE, PREPARE, EVALUATE, DROP, FORGET = range(5)
HELLO, DONE, REFUSED, ALL, ONE, FAILED, TOO_LARGE = range(7)
# Added to a kind: this process has become large and wishes to be replaced.
TIRED: Final = 0x80
WHOLE: Final = 0xFFFF

ENTRY: Final = "data.checkrein.entry"
# The place and the reason stand first, a trace of the engine's own after them.
COMPLAINT_CHARS: Final = 4096
READ_BYTES: Final = 1 << 18
PR_SET_PDEATHSIG: Final = 1


def main() -> None:
    """Arguments: import path, socket, parent, memory in bytes, CPU seconds (evaluate, prepare),
    reply in bytes, resident memory in bytes."""
    folders, *numbers = sys.argv[1:]
    fd, parent, memory, *limits = (float(number) for number in numbers)
    _follow(int(parent))
    resource.setrlimit(resource.RLIMIT_AS, (int(memory), int(memory)))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    sys.path += folders.split(os.pathsep)

    import regorus  # noqa: PLC0415 - after the limits

    memory_in_use = _memory_gauge()
    _close_doors()
    _Evaluator(int(fd), regorus, memory_in_use, *limits).serve()


def _follow(parent: int) -> None:
    """End with the parent, and only with it: signals to the group are meant for the parent."""
    for ignored in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(ignored, signal.SIG_IGN)
    signal.signal(signal.SIGPROF, signal.SIG_DFL)
    if sys.platform == "linux":
        import ctypes  # noqa: PLC0415

        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(0)


def _memory_gauge() -> Callable[[], int]:
    """What says how many bytes of memory are resident.

    Not the kernel's peak (`ru_maxrss`) where there is another way: a process inherits that from
    whoever started it, so that the child of a large gateway would seem large from the beginning.
    """
    if sys.platform != "linux":
        unit = 1 if sys.platform == "darwin" else 1024
        return lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
    statm = os.open("/proc/self/statm", os.O_RDONLY)
    page = os.sysconf("SC_PAGE_SIZE")
    return lambda: int(os.pread(statm, 128, 0).split()[1]) * page


def _close_doors() -> None:
    """From here on no file or connection can be opened, no process started, nothing written.

    What is open stays open, whatever its number.
    """
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    if hasattr(resource, "RLIMIT_NPROC"):
        resource.setrlimit(resource.RLIMIT_NPROC, (0, 0))


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
        waiting = bytearray()
        while chunk := os.read(self._fd, READ_BYTES):
            waiting += chunk
            at = 0
            while len(waiting) - at >= REQUEST.size:
                length, operation, number, key, first = REQUEST.unpack_from(waiting, at)
                start, end = at + REQUEST.size, at + REQUEST.size + length
                if end > len(waiting):
                    break
                self._number = number
                self._answer(operation, key, first, waiting[start:end])
                at = end
            del waiting[:at]

    def _answer(self, operation: int, key: int, first: int, payload: bytearray) -> None:
        if operation == EVALUATE:
            self._evaluate(key, first, payload)
            return
        before = self._memory_in_use()
        _limit(self._prepare_seconds)
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
        _limit(0)
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
        _limit(self._evaluate_seconds)
        try:
            engine = prepared.clone()
            engine.set_input_json(frame.decode())
        except (RuntimeError, UnicodeDecodeError):
            self._reply(REFUSED, 0, "")
        else:
            if first != WHOLE or not self._all(engine.clone()):
                for rule in range(0 if first == WHOLE else first, count):
                    self._one(engine.clone(), rule)
        _limit(0)

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
            kind |= TIRED
        payload = text.encode()
        message = REPLY.pack(len(payload), kind, self._number, rule) + payload
        while message:
            message = message[os.write(self._fd, message) :]


def _limit(seconds: float) -> None:
    """From now on so much CPU, until the next call; native code ends with the process."""
    signal.setitimer(signal.ITIMER_PROF, seconds)


if __name__ == "__main__":
    main()
