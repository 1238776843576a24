"""`checkrein re-execute`: through the gateway, the cost first, exit code 1 for a regression."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.commands import Done, checkrein
from tests.reexecute.conftest import chat_call, recorded
from tests.servers.models import Said

REFUND = Said("Done.", [("stripe_refund", {"amount": 4500})])
Asked = Callable[..., Done]


@pytest.fixture
def asked(live, tmp_path: Path) -> Asked:
    environ = {"CHECKREIN_URL": live.url, "CHECKREIN_API_KEY": live.keys["full"]}

    def run(*arguments: str) -> Done:
        return checkrein("re-execute", *arguments, cwd=tmp_path, environ=environ)

    return run


def test_the_cost_first(asked, client, provider):
    run, seq = recorded(client, chat_call())

    done = asked(run, str(seq), "--check", "tool:stripe.refund")

    assert done.code == 0, done.err
    assert "about 0.0055 USD" in done.out
    assert "held then" in done.out
    assert "--yes" in done.out
    assert provider.bodies == []


def test_side_by_side_with_everything_changed(asked, client, provider, tmp_path):
    (tmp_path / "prompt.txt").write_text("Ask first.")
    (tmp_path / "schema.json").write_text('{"required": ["customer"]}')
    run, seq = recorded(client, chat_call())
    provider.answer(REFUND)

    done = asked(
        *(run, str(seq), "--yes", "--model", "m-2", "--prompt", "prompt.txt"),
        *("--param", "temperature=null", "--param", "top_p=0.5", "--endpoint", "openai"),
        *("--check", "tool:stripe.refund", "--check", "no-tool:stripe.charge"),
        *("--check", "argument:stripe.refund/amount=4500", "--check", "text:Done"),
        *("--check", "matches:^D", "--check", "verdict:allow,require_approval"),
        *("--check", "schema:stripe.refund=schema.json"),
    )

    assert done.code == 1, done.err
    assert "m-2: regression" in done.out
    assert done.out.count("holds") == 6
    assert done.out.count("FAILS") == 1
    assert "I refund it." in done.out
    assert "Done." in done.out
    [sent] = provider.bodies
    assert sent["messages"][0]["content"] == "Ask first."
    assert (sent["model"], sent["top_p"]) == ("m-2", 0.5)
    assert "temperature" not in sent


def test_for_scripts(asked, client, provider):
    run, seq = recorded(client, chat_call())
    provider.answer(REFUND)

    done = asked(run, str(seq), "--yes", "--json", "--check", "tool:stripe.refund")

    assert done.code == 0
    assert done.json["label"] == "pass"


@pytest.mark.parametrize(
    "wrong",
    [
        ("--check", "colour:red"),
        ("--check", "tool:"),
        ("--check", "argument:amount=3"),
        ("--check", "schema:t=no/such/file"),
        ("--param", "temperature"),
        ("--system", "a", "--prompt", "prompt.txt"),
    ],
)
def test_what_cannot_be_meant(asked, wrong, tmp_path):
    (tmp_path / "prompt.txt").write_text("x")

    done = asked("run", "3", *wrong)

    assert done.code == 2
    assert "Next:" in done.err


def test_a_step_that_is_none(asked, client):
    run, _ = recorded(client, chat_call())

    assert asked(run, "99").code == 4
