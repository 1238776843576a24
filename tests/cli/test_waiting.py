"""What is on its way into the record is waited for; what is refused for longer is not."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from gateway.cli.client import Client
from gateway.cli.failures import Failure


@contextmanager
def answering(*replies: tuple[int, str | None]) -> Iterator[tuple[Client, list[str]]]:
    """A server that gives these replies in turn, the last one for ever, and what it was asked."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.command)
            status, retry_after = replies[min(len(asked), len(replies)) - 1]
            body = json.dumps({"detail": "on its way"}).encode()
            self.send_response(status)
            if retry_after is not None:
                self.send_header("retry-after", retry_after)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def do_POST(self) -> None:
            self.do_GET()

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield Client(f"http://127.0.0.1:{server.server_port}", "cr_x"), asked
        finally:
            server.shutdown()
            thread.join()


def test_a_run_that_is_on_its_way_is_waited_for() -> None:
    with answering((503, "0"), (503, "1"), (200, None)) as (client, asked):
        assert client.get("/v1/runs/one") == {"detail": "on its way"}
        assert len(asked) == 3


@pytest.mark.parametrize("retry_after", [None, "60", "99999999999", "soon", "-1"])
def test_what_will_not_be_there_soon_is_refused_at_once(retry_after: str | None) -> None:
    with answering((503, retry_after)) as (client, asked):
        with pytest.raises(Failure, match="503"):
            client.get("/v1/runs/one")
        assert len(asked) == 1


def test_what_changes_something_is_sent_once() -> None:
    with answering((503, "0")) as (client, asked):
        with pytest.raises(Failure, match="503"):
            client.post("/v1/policies", {})
        assert asked == ["POST"]
