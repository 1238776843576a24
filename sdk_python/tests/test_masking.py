"""S0-9: what looks personal or secret is masked before it leaves, on google-re2 alone."""

from __future__ import annotations

import ast
import base64
import itertools
from pathlib import Path
from typing import Any

import checkrein
import pytest
from checkrein import guard, run
from checkrein._masking import Masker, Tokens, unmask
from checkrein._patterns import find, luhn
from hypothesis import given
from hypothesis import strategies as st

KEY = "a1B2c3D4e5F6g7H8i9J0k1L2"
JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9P"
PEM = (
    "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-256-CBC,00\n\n"
    + base64.b64encode(b"x" * 300).decode()
    + "\n-----END RSA PRIVATE KEY-----"
)

SECRETS = [
    ("email", "anna.berg+x@mail.example.com"),
    ("email", "josé@exämple.com"),
    ("card", "4242424242424242"),
    ("card", "4242 4242 4242 4242"),
    ("card", "5555-5555-5555-4444"),
    ("card", "378282246310005"),
    ("card", "3782 822463 10005"),
    ("card", "6011111111111117"),
    ("phone", "+49 170 1234567"),
    ("phone", "+1 (415) 555-2671"),
    ("phone", "415-555-2671"),
    ("phone", "(415) 555-2671"),
    ("api_key", "sk-" + KEY),
    ("api_key", "sk-proj-" + KEY),
    ("api_key", "sk_live_" + KEY),
    ("api_key", "rk_test_" + KEY),
    ("api_key", "ghp_" + KEY + KEY[:12]),
    ("api_key", "github_pat_" + KEY),
    ("api_key", "AKIAIOSFODNN7EXAMPLE"),
    ("api_key", "xoxb-123456789012-" + KEY),
    ("api_key", "AIza" + KEY + KEY[:11]),
    ("api_key", "glpat-" + KEY),
    ("api_key", "npm_" + KEY + KEY[:12]),
    ("api_key", "hf_" + KEY + KEY[:10]),
    ("api_key", "cr_production_k1_" + KEY + "_9f8e7d"),
    ("jwt", JWT),
    ("private_key", PEM),
    ("private_key", PEM.partition("-----END")[0]),
]
HARMLESS = [
    "4500",
    "order 9281",
    "2026-11-20T12:00:00.000000Z",
    "1763640000000000000",
    "0190b3a2-7c1e-7abc-9def-0123456789ab",
    "4242424242424241",
    "customer cus_9281",
    "192.168.100.200",
    "version 1.2.3-rc.4",
    "task-force on risk-assessment",
    "@guard decorates",
    "a@b",
    "acct_supplier_12",
    "4,500.00 USD",
    "SELECT * FROM customers WHERE id = 7",
]


@pytest.mark.parametrize(("label", "secret"), SECRETS)
@pytest.mark.parametrize(
    "around", ["{}", "it is {}, really", '{{"key": "{}"}}', "a={}&b=1", "<{}>"]
)
def test_secrets_are_found_wherever_they_stand(label, secret, around):
    text = around.format(secret)

    masked = Masker().text(text)

    assert secret not in masked
    assert f"[{label}:" in masked
    assert masked.startswith(around.partition("{}")[0].replace("{{", "{")[:2])


@pytest.mark.parametrize("text", HARMLESS)
def test_ordinary_text_stays_as_it_is(text):
    assert Masker().text(text) == text


def test_several_secrets_in_one_text_are_all_masked():
    text = " and ".join(secret for _, secret in SECRETS)

    masked = Masker().text(text)

    assert not [secret for _, secret in SECRETS if secret in masked]


def test_neighbouring_cards_do_not_hide_each_other():
    masked = Masker().text("4242424242424242 5555555555554444")

    assert masked.count("[card:") == 2


def test_tokens_are_stable_within_a_run_and_say_what_rules_need():
    masker = Masker()

    assert masker.text("Anna@Mail.example.com") == masker.text("anna@mail.example.com")
    assert masker.text("x a@b.example").endswith("@b.example]")
    assert masker.text("4242 4242 4242 4242") == masker.text("4242424242424242")
    assert masker.text("4242424242424242").endswith(":4242]")
    assert Masker().text("a@b.example") != masker.text("a@b.example")
    assert masker.text("a@b.example") != masker.text("c@b.example")


def test_masking_masked_text_changes_nothing():
    masker = Masker()
    once = masker.text(" ".join(secret for _, secret in SECRETS))

    assert masker.text(once) == once


def test_numbers_and_shapes_stay_and_names_of_fields_are_masked():
    value = {"amount": 4242424242424242, "a@b.example": [True, None, 1.5, "+49 170 1234567"]}

    masked = Masker(key=b"k" * 32).value(value)

    assert masked["amount"] == 4242424242424242
    assert "a@b.example" not in masked
    assert next(item for key, item in masked.items() if key != "amount")[:3] == [True, None, 1.5]


HOSTILE = {
    "letters": "a" * 40_000,
    "half addresses": "a@" * 20_000,
    "addresses": "x@a.bb " * 6000,
    "dots": "x@" + "a." * 20_000,
    "begin lines": "-----BEGIN PRIVATE KEY-----" * 1500,
    "dashes": "-----BEGIN " + "-" * 40_000,
    "lonely digits": "4 " * 20_000,
    "cards": "4242 4242 4242 4242 " * 2000,
    "digits": "4" * 40_000,
    "token heads": "eyJ" * 13_000,
    "token parts": "eyJaaaaaa.eyJaaaaaa." * 2000,
    "plus signs": "+1 " * 13_000,
    "keys": ("sk-" + "a" * 20 + " ") * 1600,
    "own tokens": "[email:0123456789@" * 2200,
    "wide characters": "é@ü.öä " * 5000,
}


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.timeout(10)
def test_hostile_text_of_40_kb_is_masked_in_bounded_time(name):
    """S9's kind of attack on the SDK: a backtracking engine needs seconds to minutes here."""
    Masker().text(HOSTILE[name])


def test_the_standard_librarys_regular_expressions_are_not_used():
    for path in Path(checkrein.__file__).parent.glob("*.py"):
        tree = ast.parse(path.read_text())
        names = {
            alias.name
            for node in ast.walk(tree)
            if isinstance(node, ast.Import | ast.ImportFrom)
            for alias in [*node.names, ast.alias(getattr(node, "module", None) or "")]
        }
        assert "re" not in names, path


@given(st.text())
def test_spans_are_in_order_and_do_not_overlap(text):
    spans = find(text + " anna@mail.example 4242424242424242 " + text)

    assert all(one.end <= other.start for one, other in itertools.pairwise(spans))


strings = st.sampled_from([secret for _, secret in SECRETS]) | st.text(
    st.characters(exclude_categories=["Cs"]), max_size=8
)
trees = st.recursive(
    strings | st.integers() | st.booleans(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(strings, inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.text("abc", min_size=1, max_size=2), trees, max_size=4))
def test_unmasking_what_nobody_changed_gives_back_the_true_value(raw):
    tokens = Tokens()
    masked = Masker().value(raw, tokens)

    assert unmask(masked, masked, raw, tokens) == raw


@pytest.mark.parametrize(
    ("number", "valid"), [("4242424242424242", True), ("4242424242424241", False)]
)
def test_luhn(number, valid):
    assert luhn(number) is valid


def test_nothing_secret_leaves_through_any_door(peer):
    """S0-9: one canary of each kind through every field that leaves, and a search of all bytes."""
    secrets = [secret for _, secret in SECRETS]
    text = " ; ".join(secrets)
    peer.answer(peer.decision("allow"))

    @guard("tool", redact=["hidden"], trust=False)
    def tool(a: str, hidden: str, b: dict[str, Any]) -> dict[str, str]:
        return {"out": text}

    @guard("broken")
    def broken() -> None:
        raise ValueError(text)

    with run("canary " + text[:100], user_request=text) as r:
        r.observe(
            plan={"text": text, "arguments": {"a": text}},
            context=[{"source": text, "text": text}],
            reasoning=text,
            external_state={"x": text},
            model={"id": "m", "parameters": {"system": text}},
        )
        checkrein.record_model_call(
            model="m", system=text, messages=[{"role": "user", "content": text}], answer=text
        )
        checkrein.record_message("user", text)
        checkrein.record_artifact("a.txt", text, uri="https://x/" + secrets[0])
        checkrein.record_verification("v", passed=True, output=text)
        tool(text, "not a pattern at all", {"k": [text]})
        with pytest.raises(ValueError, match="anna"):
            broken()
        r.finish(output=text)
    assert checkrein.flush(5)

    everything = b"\n".join(peer.bodies).decode()
    assert len(peer.results) == 2
    assert "run_ended" in everything
    assert [secret for secret in secrets if secret in everything] == []
    assert [secret for secret in secrets if secret.replace("\n", "\\n") in everything] == []
    assert "not a pattern at all" not in everything


def test_masking_can_be_switched_off(peer):
    peer.configure(environment="production", redaction="off")

    @guard
    def send(to: str) -> None: ...

    send("anna@mail.example")

    assert peer.checks[0]["action"]["arguments"] == {"to": "anna@mail.example"}
