"""Where OPA listens: the parts of its URL, and nothing that could lead requests elsewhere."""

from __future__ import annotations

from typing import NamedTuple
from urllib.parse import urlsplit

from gateway.errors import ConfigInvalid

PORT = 8181


class Address(NamedTuple):
    """`host` as it stands in a URL: an IPv6 address is in brackets."""

    host: str
    port: int
    tls: bool


def parse(url: str) -> Address:
    """The address in `http://host:port`, `https` where it is TLS. Raises ConfigInvalid."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise ConfigInvalid(_advice(url)) from None
    more = parts.path not in {"", "/"} or parts.query or parts.fragment or "@" in parts.netloc
    if parts.scheme not in {"http", "https"} or not host or more or port == 0:
        raise ConfigInvalid(_advice(url))
    shown = f"[{host}]" if ":" in host else host
    return Address(shown, port or PORT, parts.scheme == "https")


def _advice(url: str) -> str:
    shown = url.rpartition("@")[2]  # not the password that may stand before it
    return f"{shown!r} is no address of an OPA server: write http://127.0.0.1:{PORT}"
