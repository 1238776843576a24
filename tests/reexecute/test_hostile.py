"""Endpoints that misbehave and checks that attack: bounded and named; the key stays put."""

from __future__ import annotations

import gzip
import time
from pathlib import Path
from typing import Any

import pytest

from gateway.config import Settings, load
from gateway.errors import ConfigInvalid
from gateway.replay.reexecute import prices
from gateway.replay.reexecute.endpoints import endpoint
from gateway.wiring.reexecute import re_executor
from tests.api.live import json, live_gateway
from tests.cli.commands import checkrein, descendants, up
from tests.reexecute.conftest import (
    OPENAI_KEY,
    again,
    chat_call,
    gateway_for,
    recorded,
    refused,
)
from tests.servers.models import Said, models

DEEP = b"[" * 100_000


@pytest.mark.parametrize(
    ("answer", "code", "says"),
    [
        (lambda p: p.refusing(429, "slow down"), "model_refused", "429): slow down"),
        (lambda p: p.refusing(400, "x" * 5000), "model_refused", "…"),
        (lambda p: p.refusing(401, f"bad key {OPENAI_KEY[:9]}"), "model_refused", "key (401)"),
        (
            lambda p: p.sending(302, b"", location="http://127.0.0.1:1/secret"),
            "model_refused",
            "not followed",
        ),
        (lambda p: p.sending(200, b"<html>"), "model_answer_unreadable", "JSON"),
        (lambda p: p.sending(200, b'{"choices": []}'), "model_answer_unreadable", "no message"),
        (lambda p: p.sending(200, b'{"choices": [7]}'), "model_answer_unreadable", "no message"),
        (lambda p: p.sending(200, b'{"a": ' + DEEP), "model_answer_unreadable", "JSON"),
        (
            lambda p: p.sending(200, gzip.compress(b"0" * 9_000_000), content_encoding="gzip"),
            "model_answer_unreadable",
            "compressed",
        ),
        (lambda p: p.flooding, "model_answer_unreadable", "larger"),
        (lambda p: p.hanging, "model_unreachable", "no answer within 3 s"),
    ],
    ids=[
        *("refusal", "long refusal", "wrong key", "redirect", "no json", "no choice", "odd"),
        *("deep", "bomb", "flood", "hang"),
    ],
)
def test_an_endpoint_that_misbehaves(client, provider, answer, code, says):
    """A clear problem, within bounds; and what was sent is recorded as having failed."""
    run, seq = recorded(client, chat_call())
    provider.answer(answer(provider))
    begun = time.monotonic()

    problem = refused(client, run, seq, confirm=True)

    assert problem["code"] == code
    assert says.lower() in problem["detail"].lower()
    assert len(problem["detail"]) < 400
    assert time.monotonic() - begun < 20
    child = problem["detail"].removesuffix(".").rpartition(" ")[2]
    frames = json(client.get(f"/v1/runs/{child}/frames"))["frames"]
    assert frames[2]["body"]["status"] == "failed"
    assert frames[3]["body"]["status"] == "failed"


def test_the_key_is_nowhere_but_in_its_header(live, client, provider, caplog, capfd):
    """An endpoint that repeats it, in an answer or in an error, gives nothing away."""
    caplog.set_level(0)
    run, seq = recorded(client, chat_call())
    provider.answer(Said(f"Your key is {OPENAI_KEY}."), provider.refusing(400, f"{OPENAI_KEY}!"))

    told = again(client, run, seq, confirm=True)
    problem = refused(client, run, seq, confirm=True)

    assert told["now"]["text"] == "Your key is [key]."
    assert "[key]!" in problem["detail"]
    said = capfd.readouterr()
    assert OPENAI_KEY not in caplog.text + said.out + said.err
    assert OPENAI_KEY not in str(vars(live.gateway.parts.re_executor))
    assert provider.headers[0]["authorization"].endswith(OPENAI_KEY)


def test_the_key_reaches_no_file(tmp_path):
    with models() as provider, gateway_for(provider, _priced(tmp_path)) as live:
        with live.client() as client:
            run, seq = recorded(client, chat_call())
            provider.answer(Said(f"It is {OPENAI_KEY}."))
            again(client, run, seq, confirm=True)
        files = [path for path in (tmp_path / "data").rglob("*") if path.is_file()]

        assert len(files) > 2
        assert not [path for path in files if OPENAI_KEY.encode() in path.read_bytes()]


def test_no_child_of_the_gateway_knows_the_key(tmp_path):
    """Neither the worker, nor what evaluates rules and assesses calls."""
    environ = {
        "CHECKREIN_REEXECUTE_OPENAI_URL": "http://127.0.0.1:1/v1",
        "CHECKREIN_REEXECUTE_OPENAI_KEY": OPENAI_KEY,
    }
    running = up(tmp_path / "data", environ=environ)
    try:
        children = descendants(running.process.pid)
        told = [Path(f"/proc/{pid}/environ").read_bytes() for pid in children]
        lines = [Path(f"/proc/{pid}/cmdline").read_bytes() for pid in children]
        shown = checkrein("config", "show", cwd=tmp_path, environ=environ)
    finally:
        running.stop()

    assert len(children) >= 2
    assert not [text for text in told + lines if OPENAI_KEY.encode() in text]
    assert OPENAI_KEY not in shown.out + (tmp_path / "data.log").read_text()


@pytest.mark.parametrize(
    ("check", "where"),
    [
        ({"kind": "text_matches", "pattern": "(a"}, "/checks/0/pattern"),
        ({"kind": "text_matches", "pattern": r"(\w+)\1"}, "/checks/0/pattern"),
        ({"kind": "text_matches", "pattern": "((a{100}){100}){100}"}, "/checks/0/pattern"),
        ({"schema": {"$ref": "http://127.0.0.1:1/x"}}, "/checks/0/schema"),
        ({"schema": {"properties": {"a": {"$dynamicRef": "#a"}}}}, "/checks/0/schema"),
        ({"schema": {"uniqueItems": True}}, "/checks/0/schema"),
        ({"schema": {"pattern": "(?=x)"}}, "/checks/0/schema"),
        ({"schema": {"type": 7}}, "/checks/0/schema"),
        ({"schema": {"anyOf": [{}] * 600}}, "/checks/0/schema"),
    ],
)
def test_checks_that_cannot_be_understood(client, check, where):
    run, seq = recorded(client, chat_call())
    full = {"kind": "arguments_match", "tool": "t", **check}
    if check.get("kind") == "text_matches":
        full = check

    problem = refused(client, run, seq, checks=[full])

    assert problem["code"] == "bad_check"
    assert problem["errors"][0]["pointer"] == where


def test_patterns_take_linear_time_on_hostile_text(client, provider):
    """What takes a backtracking engine for ever, over a text of 200,000 characters."""
    run, seq = recorded(client, chat_call())
    arguments = {"a": "a" * 100_000 + "!"}
    provider.answer(Said("a" * 200_000 + "!", [("t", arguments)]))
    schema = {"properties": {"a": {"pattern": "^(a+)+$", "minLength": 3}}}
    checks = [
        {"kind": "text_matches", "pattern": "^(a+)+$"},
        {"kind": "text_matches", "pattern": "(a|aa)+$"},
        {"kind": "arguments_match", "tool": "t", "schema": schema},
    ]
    begun = time.monotonic()

    told = again(client, run, seq, confirm=True, checks=checks)

    assert time.monotonic() - begun < 20
    assert [each["now"] for each in told["checks"]] == [False] * 3


def test_odd_arguments_are_shown_and_not_judged(client, provider):
    """Numbers that readers read differently, half a character, and no object at all."""
    odd = b"""{"choices": [{"message": {"tool_calls": [
        {"function": {"name": "t", "arguments": "[1]"}},
        {"function": {"name": "t", "arguments": "{"}},
        {"function": {"name": "u", "arguments": "{\\"n\\": 123456789012345678901234567890}"}},
        {"function": {"name": "", "arguments": "{}"}}]}}], "usage": {"prompt_tokens": -5}}"""
    run, seq = recorded(client, chat_call())
    provider.answer(provider.sending(200, odd))

    told = again(
        client,
        run,
        seq,
        confirm=True,
        checks=[{"kind": "argument_equals", "tool": "t", "pointer": "", "value": {}}],
    )

    assert [call["tool"] for call in told["now"]["calls"]] == ["t", "t", "u", ""]
    assert told["now"]["calls"][0]["unjudged"]
    assert told["now"]["tokens"]["input_tokens"] == 0
    assert told["label"] == "regression"


def test_off_unless_configured(tmp_path):
    with live_gateway(tmp_path) as live, live.client() as client:
        run, seq = recorded(client, chat_call())
        assert refused(client, run, seq)["code"] == "re_execution_off"


def test_one_endpoint_alone_answers_its_own_protocol(tmp_path):
    with (
        models() as provider,
        gateway_for(provider, _priced(tmp_path), reexecute_anthropic_url=None) as live,
        live.client() as client,
    ):
        run, seq = recorded(client, chat_call(), chat_call(api="messages"))
        assert refused(client, run, seq)["code"] == "re_execution_off"
        assert again(client, run, seq - 1)["now"] is None


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"reexecute_openai_url": "ftp://x"}, "http or https"),
        ({"reexecute_openai_url": "https://"}, "http or https"),
        ({"reexecute_openai_url": "https://user:secret@x/v1"}, "no user"),
        ({"reexecute_anthropic_url": "https://x/?key=secret"}, "no user"),
        ({"reexecute_openai_url": "https://x", "reexecute_openai_key": "a\nb"}, "no key"),
        ({"reexecute_openai_url": "https://x", "reexecute_prices": "/no/such"}, "reexecute_prices"),
    ],
)
def test_settings_that_cannot_be_meant(given, says):
    environ = {f"CHECKREIN_{name.upper()}": value for name, value in given.items()}
    settings: Settings = load(environ).settings

    with pytest.raises(ConfigInvalid, match=says) as caught:
        re_executor(settings)
    assert "secret" not in str(caught.value)


def test_prices_are_read_exactly_or_not_at_all(tmp_path):
    table = tmp_path / "prices.json"
    for wrong in (b"[]", b'{"m": {"input": 1.5, "output": "2"}}', b'{"m": {"input": "-1"}}'):
        table.write_bytes(wrong)
        with pytest.raises(ConfigInvalid):
            prices.read(str(table))


def test_a_key_does_not_show_itself() -> None:
    made: Any = endpoint("openai", "https://x/v1/", OPENAI_KEY, 1.0)

    assert OPENAI_KEY not in repr(made)
    assert made.url == "https://x/v1"


def _priced(folder: Any) -> Any:
    (folder / "prices.json").write_text("{}")
    return folder
