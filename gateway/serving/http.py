"""Sockets and servers, as a gateway and a worker have them."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator
from typing import Any, Final

import uvicorn

from gateway.api.http_protocol import BoundedHttp
from gateway.api.socket_protocol import MESSAGE_BYTES, PING_SECONDS, BoundedSocket
from gateway.errors import ConfigInvalid

DRAIN_SECONDS: Final = 10
# Compression would keep a window of memory for each connection.
SOCKETS: Final[dict[str, Any]] = {
    "ws": BoundedSocket,
    "ws_max_size": MESSAGE_BYTES,
    "ws_ping_interval": PING_SECONDS,
    "ws_ping_timeout": PING_SECONDS,
    "ws_per_message_deflate": False,
}


def listen(host: str, port: int, flag: str) -> socket.socket:
    """A listening socket. Raises ConfigInvalid when the port is taken."""
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise ConfigInvalid(
            f"Port {port} on {host} cannot be used ({error.strerror}). Use {flag} 0 for a free one."
        ) from error
    return listener


class _Server(uvicorn.Server):
    """A server that leaves signals to the gateway, which has more than a server to stop."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def http_server(app: Any) -> _Server:
    return _Server(
        uvicorn.Config(
            app,
            http=BoundedHttp,
            **SOCKETS,
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            date_header=False,
            timeout_keep_alive=75,
            timeout_graceful_shutdown=DRAIN_SECONDS,
        )
    )
