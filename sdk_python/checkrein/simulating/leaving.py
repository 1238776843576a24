"""The guard on sockets: while a simulation is under way, nothing connects and nothing is sent.

The methods of `socket.socket` (and those of TLS sockets, which have their own) are replaced for the
time being, and looking up names with them. A connection that was opened before can send nothing
either. What is left alone: sockets that stay on this machine without an address (pairs, pipes),
threads that are spared (the SDK's own, with what was queued before), and a debugger's threads.

Code that speaks to the kernel by itself, without Python's sockets, is not seen: other processes,
libraries in C that open connections of their own, and what uvloop sends on connections that were
open before (new ones it may not open either).
"""

from __future__ import annotations

import socket
import sys
import threading
from collections.abc import Callable
from typing import Any

from checkrein.simulating.errors import CallLeft

_INTERNET = frozenset({socket.AF_INET, socket.AF_INET6})
_CONNECTS = ("connect", "connect_ex")
_SENDS = ("send", "sendall", "sendto", "sendmsg", "sendfile")
_LOOKUPS = ("getaddrinfo", "gethostbyname", "gethostbyname_ex", "gethostbyaddr")
# Of an event loop that has sockets of its own.
_LOOP_CONNECTS = (
    *("create_connection", "create_unix_connection", "create_datagram_endpoint"),
    *("sock_connect", "getaddrinfo", "getnameinfo"),
)
_TLS_SENDS = ("send", "sendall", "write")
REFUSED_MAX = 100


class Leaving:
    """Refuses, and remembers what was tried. `spared` are the idents of threads."""

    def __init__(self, spared: frozenset[int]) -> None:
        self._spared = spared
        self._former: list[tuple[Any, str, Any, bool]] = []
        self.refused: list[str] = []

    def shut(self) -> None:
        """Begin to refuse."""
        for name in _CONNECTS:
            self._replace(socket.socket, name, self._connecting)
        for name in _SENDS:
            if hasattr(socket.socket, name):
                self._replace(socket.socket, name, self._sending)
        for name in _LOOKUPS:
            self._replace(socket, name, self._looking_up)
        tls = sys.modules.get("ssl")
        if tls is not None:
            for name in _TLS_SENDS:
                self._replace(tls.SSLSocket, name, self._sending)
        other_loop = getattr(sys.modules.get("uvloop"), "Loop", None)
        for name in _LOOP_CONNECTS if other_loop is not None else ():
            self._replace(other_loop, name, self._opening)

    def open(self) -> None:
        """Put everything back as it was."""
        while self._former:
            owner, name, former, own = self._former.pop()
            if own:
                setattr(owner, name, former)
            else:
                delattr(owner, name)

    def _replace(self, owner: Any, name: str, guarded: Callable[[Any], Any]) -> None:
        former = getattr(owner, name)
        self._former.append((owner, name, former, name in vars(owner)))
        setattr(owner, name, guarded(former))

    def _connecting(self, former: Any) -> Any:
        def connect(sock: socket.socket, address: Any, *rest: Any) -> Any:
            self._refuse(address)
            return former(sock, address, *rest)

        return connect

    def _sending(self, former: Any) -> Any:
        def send(sock: socket.socket, *args: Any, **kwargs: Any) -> Any:
            if sock.family in _INTERNET:
                self._refuse(_peer(sock, args))
            return former(sock, *args, **kwargs)

        return send

    def _opening(self, former: Any) -> Any:
        def open_connection(loop: Any, *args: Any, **kwargs: Any) -> Any:
            given = [one for one in (*args[-2:], *kwargs.values()) if isinstance(one, str | int)]
            self._refuse(tuple(given[:2]) if len(given) > 1 else given or "an address")
            return former(loop, *args, **kwargs)

        return open_connection

    def _looking_up(self, former: Any) -> Any:
        def look_up(host: Any, *args: Any, **kwargs: Any) -> Any:
            self._refuse(host)
            return former(host, *args, **kwargs)

        return look_up

    def _refuse(self, where: Any) -> None:
        thread = threading.current_thread()
        if thread.ident in self._spared or thread.name.startswith("pydevd"):
            return
        shown = _shown(where)
        if len(self.refused) < REFUSED_MAX and shown not in self.refused:
            self.refused.append(shown)
        raise CallLeft(
            f"A simulation reaches nothing, and this tried to reach {shown}. Guard the function "
            "that does it and record the run again, or keep it out of the simulated code."
        )


def _peer(sock: socket.socket, args: tuple[Any, ...]) -> Any:
    if len(args) > 1 and isinstance(args[-1], tuple):
        return args[-1]
    try:
        return sock.getpeername()
    except OSError:
        return "an address"


def _shown(where: Any) -> str:
    if isinstance(where, tuple) and len(where) >= 2:
        return f"{where[0]}:{where[1]}"
    if isinstance(where, bytes):
        where = where.decode("utf-8", "replace")
    return str(where)[:200]
