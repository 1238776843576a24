"""One gateway for all tests that only ask it something."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.cli.commands import Done, Up, checkrein, up

CHARGE = {
    "request": {"user": "Charge cus_9281.", "plan": {"arguments": {"is_refund": False}}},
    "context": [{"id": "doc_1", "source": "crm", "trusted": True, "text": "Order 9281 is unpaid."}],
    "action": {
        "tool": "stripe.create_payment",
        "arguments": {"customer": "cus_9281", "amount": 450000, "currency": "usd"}
        | {"is_refund": True},
    },
}


@pytest.fixture(scope="session")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    """A gateway in development, with one run `seen` in it."""
    running = up(tmp_path_factory.mktemp("gateway") / "data")
    reply = running.check({**CHARGE, "run": {"id": "seen", "agent_id": "billing"}})
    assert reply.json()["verdict"] == "block", reply.text
    yield running
    running.stop()


@pytest.fixture
def asked(gateway: Up, tmp_path: Path) -> Callable[..., Done]:
    """Commands with the exports that `up` prints, somewhere else."""

    def run(*arguments: str | Path, **environ: str) -> Done:
        return checkrein(*arguments, cwd=tmp_path, environ=gateway.environ | environ)

    return run
