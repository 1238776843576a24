"""What every child process does first, and how it speaks with its gateway.

Standard library alone: a child imports this before anything else, so that its limits stand when
the rest comes. A request is REQUEST and a payload, a reply REPLY and a payload, in order.
"""

from __future__ import annotations

import os
import resource
import signal
import struct
import sys
from collections.abc import Callable, Iterator
from typing import Final

# Length of the payload, operation, number of the request, and two numbers that a child interprets.
REQUEST: Final = struct.Struct("!IBIIH")
# Length of the payload, kind, number of the request, and a number that a child interprets.
REPLY: Final = struct.Struct("!IBIH")

# The kind of the first reply of every child, once it is ready.
HELLO: Final = 0
# Added to a kind: this process has become large and wishes to be replaced.
TIRED: Final = 0x80

READ_BYTES: Final = 1 << 18
PR_SET_PDEATHSIG: Final = 1

Request = tuple[int, int, int, int, bytearray]


def follow(parent: int) -> None:
    """End with the parent, and only with it: signals to the group are meant for the parent."""
    for ignored in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(ignored, signal.SIG_IGN)
    signal.signal(signal.SIGPROF, signal.SIG_DFL)
    if sys.platform == "linux":
        import ctypes  # noqa: PLC0415

        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(0)


def limit_memory(size: int) -> None:
    """So much address space at most. To be set before what may need much is imported."""
    resource.setrlimit(resource.RLIMIT_AS, (size, size))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def memory_gauge() -> Callable[[], int]:
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


def close_doors() -> None:
    """From here on no file or connection can be opened, no process started, nothing written.

    What is open stays open, whatever its number.
    """
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    if hasattr(resource, "RLIMIT_NPROC"):
        resource.setrlimit(resource.RLIMIT_NPROC, (0, 0))


def limit_cpu(seconds: float) -> None:
    """From now on so much CPU, until the next call; then SIGPROF comes, which ends native code."""
    signal.setitimer(signal.ITIMER_PROF, seconds)


def requests(fd: int) -> Iterator[Request]:
    """Operation, number, two numbers and payload of each request, until the other end closes."""
    waiting = bytearray()
    while chunk := os.read(fd, READ_BYTES):
        waiting += chunk
        at = 0
        while len(waiting) - at >= REQUEST.size:
            length, operation, number, key, first = REQUEST.unpack_from(waiting, at)
            start, end = at + REQUEST.size, at + REQUEST.size + length
            if end > len(waiting):
                break
            yield operation, number, key, first, waiting[start:end]
            at = end
        del waiting[:at]


def reply(fd: int, kind: int, number: int, part: int, payload: bytes) -> None:
    message = REPLY.pack(len(payload), kind, number, part) + payload
    while message:
        message = message[os.write(fd, message) :]
