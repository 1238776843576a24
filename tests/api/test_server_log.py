"""What is no HTTP is counted, and fills no log."""

from __future__ import annotations

import logging
import socket
from collections.abc import Iterator

import pytest
import structlog

from gateway.api.server_log import UNPARSABLE, ServerLog
from gateway.telemetry import Metrics
from tests.cli.commands import Up, eventually, up


class _Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def lines() -> Iterator[list[dict[str, object]]]:
    """Every structured line that is written."""
    with structlog.testing.capture_logs() as written:
        yield written  # type: ignore[misc]


def _record(message: str, error: BaseException | None = None) -> logging.LogRecord:
    told = (type(error), error, error.__traceback__) if error else None
    return logging.LogRecord("uvicorn.error", logging.WARNING, "", 0, message, (), told)


def test_a_flood_of_unparsable_requests_is_one_line_a_minute(lines):
    metrics, clock = Metrics(), _Clock()
    heard = ServerLog(metrics, clock)

    for now in (0.0, 1.0, 59.0, 60.0, 61.0, 121.0):
        clock.now = now
        heard.handle(_record(UNPARSABLE))

    assert [(line["event"], line["count"]) for line in lines] == [
        ("requests_unparsable", 1),
        ("requests_unparsable", 3),
        ("requests_unparsable", 2),
    ]
    assert metrics.registry.get_sample_value("checkrein_unparsable_requests_total") == 6


def test_an_exception_in_the_server_is_told_without_its_text(lines):
    """S9: the text of a foreign error may quote what an agent sent."""
    with pytest.raises(ValueError, match="4111") as raised:
        int("4111 1111 1111 1111")
    ServerLog(Metrics(), _Clock()).handle(_record("Exception in ASGI application\n", raised.value))

    (line,) = lines
    assert (line["event"], line["error"]) == ("server_complained", "ValueError")
    assert line["said"] == "Exception in ASGI application"
    assert "4111" not in str(line)


def test_a_gateway_writes_no_plain_line_for_what_is_no_http(tmp_path):
    log = tmp_path / "log"
    gateway = up(tmp_path / "data", log=log)
    try:
        for _ in range(5):
            _garbage(gateway)
        assert eventually(lambda: "requests_unparsable" in log.read_text())
    finally:
        gateway.stop()

    written = log.read_text()
    assert UNPARSABLE not in written
    assert written.count("requests_unparsable") == 1
    assert written.count("\x1b") == 0


def _garbage(gateway: Up) -> None:
    host, port = gateway.ready["url"].removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        connection.sendall(b"\x16\x03\x01 this is not HTTP\r\n\r\n")
        assert connection.recv(100).startswith(b"HTTP/1.1 400")
