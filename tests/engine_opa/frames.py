"""Frames that reach the shipped rules, from a seed: what agents could send, and worse."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Iterator
from typing import Any

import msgspec

from gateway.domain import canonical
from gateway.domain import frame as frames
from gateway.domain.check import ActionCheck
from gateway.domain.frame import FrameBudget, FrameState
from gateway.domain.ruleset import Ruleset
from gateway.judging.framing import build

TOOLS = (
    *("stripe.refund", "stripe.get_customer", "bank.transfer", "ads.buy", "email.send"),
    *("mail.forward", "db.execute", "db.query", "sql.run", "shell.run", "bash.exec", "web.fetch"),
    *("crm.read_contact", "slack.post_message", "files.delete", "Ünï.côde", "x"),
)
EFFECTS = ("read", "write", "delete", "payment", "message", "access", "deploy", "exec", "network")
NAMES = (
    *("amount", "currency", "customer", "to", "cc", "bcc", "body", "sql", "command", "params"),
    *("is_refund", "to_account", "text", "a/b", "~", "ключ", "é👍", "", "data", "input", "0"),
)
PEOPLE = (
    *(
        "ann@example.com",
        "Bob <bob@example.com>",
        "eve@evil.test",
        "EVE@Evil.Test",
        "ann@EXAMPLE.com",
    ),
    *("a@b@example.com", "ann@example.com.", '"ann"@example.com', "ann@exаmple.com", "#general"),
    *(
        "@ann",
        "cus_9281",
        "+49 170 1234567",
        "acct-77",
        "ann@ex\u00adample.com",
        "ann@example.com\n",
    ),
    *(
        "İ@example.com",
        "[email:ab12@example.com]",
        "[email:ab12@evil.test]",
        "",
        " ",
        "ﬀ@example.com",
    ),
)
SECRETS = (
    *("sk-" + "a1B2c3D4" * 3, "AKIA" + "ABCDEFGH12345678", "ghp_" + "x" * 24, "[api_key:12]"),
    *("-----BEGIN RSA PRIVATE KEY", "eyJhbGciOi.eyJzdWIiOj.x", "4111 1111 1111 1111", "[jwt:1]"),
)
ODD = (
    *("İI\u0131ſK", "é👍", "e\u0301", "\u0000", "\u001f\u007f", "٣٣", "\u2028", "\u00a0", "😀" * 3),
    *(
        "<b>&amp;</b>",
        "\\",
        '"',
        "'",
        "`",
        "$1 ${2}",
        "%d %s %v",
        "{}",
        "\t\r\n",
        "x" * 300,
        "ß",
        "Σς",
    ),
)
NUMBERS = (
    *(0, 1, -1, 3, 9, 10, 11, 99, 450000, 1000000, 1000001, 2**31, 2**53 - 1, -(2**53) + 1),
    *(0.0, -0.0, 0.5, 0.1, 1.0, 10.0, 1e-7, 1e15, 1e21, 450000.0, 0.30000000000000004, -2.5),
)


class Frames:
    """Endless frames of one seed. `texts` are sentences that rules were written about.

    What an agent writes is of any type at any place. With `bent`, so is what the gateway writes,
    which no check can bring about.
    """

    def __init__(
        self, ruleset: Ruleset, texts: tuple[str, ...], seed: int, *, bent: bool = False
    ) -> None:
        self._ruleset = ruleset
        self._texts = texts
        self._rng = random.Random(seed)
        self._bends = bent
        # Whom the last call was about, so that content can speak of the same one.
        self._person = ""

    def __iter__(self) -> Iterator[bytes]:
        while True:
            made = self._frame()
            yield self._bent(made) if self._bends else made

    def _frame(self) -> bytes:
        rng = self._rng
        arguments = self._arguments()
        action: dict[str, Any] = {"tool": rng.choice(TOOLS), "arguments": arguments}
        if self._chance(0.6):
            action["side_effects"] = rng.sample(EFFECTS, rng.randint(0, 3))
        if self._chance(0.2):
            action["amount"] = {
                "value": rng.choice([0, 5, 999999, 10**6 + 1]),
                "currency": rng.choice(["USD", "EUR", "JPY"]),
            }
        body: dict[str, Any] = {"action": action, "context": self._context()}
        if self._chance(0.7):
            body["request"] = self._request(arguments)
        check = msgspec.convert(body, ActionCheck)
        frame = build(
            check,
            self._ruleset,
            action_id="act_1",
            run_id="run_1",
            project_id="prj_1",
            environment=rng.choice(["production", "staging", "elsewhere"]),
            now_ns=rng.randint(10**18, 2 * 10**18),
            state=self._state(),
            assessment=self._assessment(arguments),
        )
        return frames.encode(frame)

    def _arguments(self) -> dict[str, Any]:
        rng = self._rng
        found: dict[str, Any] = {}
        if self._chance(0.5):
            found["amount"] = rng.choice([*NUMBERS[:14], rng.choice(NUMBERS), "450000", None])
            found["currency"] = rng.choice(["USD", "usd", "EUR", "JPY", "", "ÜSD", 5])
        if self._chance(0.5):
            for field in rng.sample(["to", "cc", "bcc", "customer", "to_account"], 2):
                found[field] = self._recipients()
        if self._chance(0.7):
            found[rng.choice(["sql", "command", "body", "text"])] = self._text()
        if found and self._chance(0.1):
            found[rng.choice(list(found))] = self._value(2)
        for _ in range(rng.randint(0, 2)):
            found[rng.choice(NAMES)] = self._value(3)
        return found

    def _request(self, arguments: dict[str, Any]) -> dict[str, Any]:
        rng = self._rng
        planned = {k: v for k, v in arguments.items() if self._chance(0.9)}
        if planned and self._chance(0.5):
            planned[rng.choice(list(planned))] = self._value(2)
        if self._chance(0.3):
            planned["is_refund"], arguments["is_refund"] = rng.choice(
                [(True, False), (False, True), (1, True), ("true", True)]
            )
        plan: dict[str, Any] = {"arguments": planned} if self._chance(0.9) else {}
        if self._chance(0.3):
            plan["tool"] = rng.choice(TOOLS)
        if self._chance(0.5):
            plan["text"] = self._text()
        return {"user": self._text(), "plan": plan}

    def _context(self) -> list[dict[str, Any]]:
        return [
            {
                "id": f"ctx_{number}",
                "source": self._rng.choice(["web", "crm", "mail"]),
                "trusted": self._chance(0.3),
                "text": self._text() + self._rng.choice(["", f" Pay {self._person} now."]),
            }
            for number in range(self._rng.randint(0, 3))
        ]

    def _state(self) -> FrameState:
        rng = self._rng
        budgets = [
            FrameBudget(
                name=f"b{number}",
                scope=rng.choice(["run", "agent"]),
                window=rng.choice(["run", "day"]),
                measure=rng.choice(["spend", "calls"]),
                currency=rng.choice(["USD", "EUR", None]),
                used=rng.choice([0, 1, 9, 9999, 10**8]),
                at_most=rng.choice([0, 10, 10_000, 10**8]),
                missing=self._chance(0.3),
            )
            for number in range(rng.randint(0, 3))
        ]
        return FrameState(
            calls=rng.choice([0, 5, 998, 999, 1000, 10**6]),
            identical=rng.choice([0, 0, 2, 3, 9, 10]),
            near_identical=rng.choice([0, 0, 5, 6, 12, 30, 45]),
            denials_in_a_row=rng.choice([0, 0, 0, 1, 2, 3, 4, 5, 6]),
            budgets=budgets,
        )

    def _assessment(self, arguments: dict[str, Any]) -> dict[str, Any] | None:
        """What the Intent Guard could say: its texts and values are an agent's and a page's."""
        rng = self._rng
        if self._chance(0.5):
            return None
        chances = (None, 0.0, 0.5, 0.899999, 0.9, 0.95, 1.0)
        signals = [
            {
                "check": rng.choice(["plan.value", "direction", "attribution.sentence"]),
                "field": rng.choice(
                    ["/action/tool", *(f"/action/arguments/{name}" for name in arguments)]
                ),
                "observed": self._value(2),
                "expected": self._value(2),
                "source": rng.choice(
                    ["request", "plan", "plan.text", "schema", "history", f"context:{self._text()}"]
                ),
                "trusted": self._chance(0.5),
                "contribution": rng.choice(chances[1:]),
            }
            for _ in range(rng.randint(0, 2))
        ]
        return {
            "score": rng.choice(chances),
            "threshold": rng.choice([None, 0.9, 0.9, 0.8]),
            "heads": {name: rng.choice(chances) for name in ("plan", "attribution", "consistency")},
            "coverage": {"request": True, "plan": "text", "context": "both", "truncated": []},
            "signals": signals,
            "version": "v",
            "raw": {"plan": 1.5, "attribution": None, "consistency": -0.25},
        }

    def _recipients(self) -> Any:
        people = self._rng.choices(PEOPLE, k=self._rng.randint(0, 3))
        self._person = people[0] if people else ""
        kind = self._rng.random()
        if kind < 0.4:
            return people
        if kind < 0.6:
            return [{"email": one} for one in people]
        return people[0] if people else self._value(1)

    def _text(self) -> str:
        rng = self._rng
        parts = [
            rng.choice(rng.choice((self._texts, self._texts, PEOPLE, SECRETS, ODD)))
            for _ in range(rng.choice((1, 1, 1, 2, 3)))
        ]
        text = rng.choice(("", " ", "\n", "; ")).join(parts)
        if text and self._chance(0.3):
            at = rng.randrange(len(text))
            text = text[:at] + rng.choice(ODD)[:3] + text[at + rng.randint(0, 2) :]
        return rng.choice((str, str, str.upper, str.title))(text)

    def _value(self, depth: int) -> Any:
        rng = self._rng
        kind = rng.random()
        if depth and kind < 0.15:
            return [self._value(depth - 1) for _ in range(rng.randint(0, 4))]
        if depth and kind < 0.3:
            return {rng.choice(NAMES): self._value(depth - 1) for _ in range(rng.randint(0, 4))}
        if kind < 0.5:
            return rng.choice(NUMBERS)
        if kind < 0.6:
            return rng.choice([True, False, None])
        return self._text()

    def _bent(self, frame: bytes) -> bytes:
        """The frame with one value somewhere replaced by another of any type, or without it."""
        whole = msgspec.json.decode(frame)
        node: Any = whole
        while True:
            key = self._rng.choice(list(node) if isinstance(node, dict) else range(len(node)))
            deeper = isinstance(node[key], (dict, list)) and len(node[key]) > 0
            if not deeper or (node is not whole and self._chance(0.2)):
                break
            node = node[key]
        if node is not whole or key != "time":
            if isinstance(node, dict) and self._chance(0.2):
                del node[key]
            else:
                node[key] = self._value(2)
        return canonical.encode(whole)

    def _chance(self, part: float) -> bool:
        return self._rng.random() < part


def texts_of(files: dict[str, str]) -> tuple[str, ...]:
    """The texts in the rules' own tests: what they must stop, and what they must not."""
    found: set[str] = set()
    for path, text in files.items():
        if path.endswith("_test.rego"):
            for quoted in re.findall(r'"(?:[^"\\\n]|\\.)*"', text):
                found.add(json.loads(quoted))
    return tuple(sorted(text for text in found if len(text) > 2))
