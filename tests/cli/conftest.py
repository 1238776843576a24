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


@pytest.fixture(scope="session")
def left(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder that a gateway left behind, with a few runs in it: to be copied."""
    running = up(tmp_path_factory.mktemp("left") / "data")
    for number in range(3):
        for _ in range(3):
            running.check({**CHARGE, "run": {"id": f"run {number}", "user_id": "u"}})
    assert running.stop() == 0
    return running.data


@pytest.fixture
def asked(gateway: Up, tmp_path: Path) -> Callable[..., Done]:
    """Commands with the exports that `up` prints, somewhere else."""

    def run(*arguments: str | Path, **environ: str) -> Done:
        return checkrein(*arguments, cwd=tmp_path, environ=gateway.environ | environ)

    return run
