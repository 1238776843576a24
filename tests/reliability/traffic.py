"""Checks as many agents would make them: every verdict, odd texts and numbers; a seed repeats them.

They are meant for the shipped policies with the rules of `folders.PROOFS`.
"""

from __future__ import annotations

import random
from typing import Any

Body = dict[str, Any]

TEXTS = (
    "plain",
    "Grüße aus Köln, naïve façade",
    "日本語のテキスト",
    "İstanbul ıssız I i İ",
    "\U0001f926\U0001f3fc\u200d♂️ zero\u200bwidth",
    "\u202eright to left",
    'quote " backslash \\ slash / tab \t newline \n bell \u0007',
    "combining e\u0301 and composed é",
    "astral \U0001d11e before private \ue000 and \uffee",
    "",
)
NUMBERS = (
    0,
    -1,
    1.0,
    -0.0,
    0.1,
    1e-7,
    3.141592653589793,
    1e21,
    2**53 - 1,
    -(2**53 - 1),
    1e16,
    5e-324,
)


class Traffic:
    """`check` makes one body after the other. `runs` are the caller's own names of runs."""

    def __init__(self, seed: int | str, runs: int = 4) -> None:
        self._random = random.Random(seed)
        self._seed = seed
        self._runs = runs
        self._made = 0

    def check(self) -> Body:
        """A body without an action id; every few dozen checks new runs begin."""
        chance = self._random
        self._made += 1
        generation = self._made // 40
        make = chance.choice(_MAKERS)
        body: Body = {"action": make(chance)}
        run = chance.randrange(self._runs)
        # Who acts in a run, and for whom, is the same in all of its checks.
        body["run"] = {"id": f"{self._seed}/{generation}/{run}", "agent_id": f"agent {run % 3}"}
        if run % 2:
            body["run"]["user_id"] = f"user {generation % 3}"
        if chance.random() < 0.5:
            body |= _evidence(chance)
        return body

    def value(self) -> Any:
        return _value(self._random, 0)


def _value(chance: random.Random, depth: int) -> Any:
    kind = chance.randrange(8 if depth < 3 else 5)
    if kind == 0:
        return chance.choice(NUMBERS)
    if kind == 1:
        return chance.choice([True, False, None])
    if kind == 2:
        return chance.randrange(-(10**9), 10**9)
    if kind in (3, 4):
        return chance.choice(TEXTS)
    if kind == 5:
        return [_value(chance, depth + 1) for _ in range(chance.randrange(4))]
    return {
        f"{chance.choice(TEXTS)}{n}": _value(chance, depth + 1) for n in range(chance.randrange(4))
    }


def _evidence(chance: random.Random) -> Body:
    found: Body = {
        "request": {
            "user": chance.choice(TEXTS),
            "reasoning": chance.choice(TEXTS),
            "plan": {"text": chance.choice(TEXTS), "arguments": {"is_refund": False}},
        },
        "external_state": {"weather": _value(chance, 1)},
        "model": {"provider": "acme", "id": "large", "parameters": {"temperature": 0.7}},
    }
    if chance.random() < 0.5:
        found["context"] = [
            {
                "id": f"page {n}",
                "source": f"https://example.com/{n}",
                "trusted": chance.random() < 0.5,
                "text": chance.choice(TEXTS) * chance.choice([1, 3, 400]),
            }
            for n in range(chance.randrange(1, 5))
        ]
    if chance.random() < 0.3:
        found["events"] = [
            {"type": "message", "role": "user", "text": chance.choice(TEXTS)},
            {"type": "model_call", "answer": _value(chance, 1), "usage": {"input_tokens": 7}},
        ]
    return found


def _read(chance: random.Random) -> Body:
    return {"tool": "crm.read_customer", "arguments": {"id": chance.randrange(10**6)}}


def _anything(chance: random.Random) -> Body:
    arguments = {f"key {n}": _value(chance, 0) for n in range(chance.randrange(6))}
    return {"tool": f"notes.{chance.choice(['write', 'find', 'Ünïcode'])}", "arguments": arguments}


def _payment(chance: random.Random) -> Body:
    arguments = {
        "amount": chance.choice([500, 20_000, 999_999, 1_000_001, -5]),
        "currency": chance.choice(["usd", "EUR", "usd", "chf"]),
        "customer": f"cus_{chance.randrange(50)}",
        "is_refund": chance.random() < 0.2,
    }
    return {"tool": "stripe.create_payment", "arguments": arguments}


def _mail(chance: random.Random) -> Body:
    arguments = {
        "to": chance.choice(["a@example.com", "b@elsewhere.net"]),
        "bcc": chance.choice([["c@elsewhere.net", "d@example.com"], "e@elsewhere.net", []]),
        "text": chance.choice(TEXTS),
    }
    return {"tool": "email.send", "arguments": arguments}


def _sql(chance: random.Random) -> Body:
    statement = chance.choice(
        ["DELETE FROM orders", "UPDATE orders SET paid = 1 WHERE id = 7", "select 1"]
    )
    return {"tool": "db.execute", "arguments": {"statement": f"{statement} -- {chance.random()}"}}


def _said(chance: random.Random) -> Body:
    effects = ["none", "none", "warn", "require_approval", "block"]
    effect = "halt" if chance.random() < 0.03 else chance.choice(effects)
    arguments = {"effect": effect, "about": _value(chance, 0), "n": chance.random()}
    return {"tool": "proof.call", "arguments": arguments, "side_effects": ["write"]}


def _changed(chance: random.Random) -> Body:
    arguments = {"width": chance.choice([5, 11, 700, 10.5]), "effect": chance.choice(["", "warn"])}
    return {"tool": "proof.call", "arguments": {**arguments, "n": chance.random()}}


def _odd(chance: random.Random) -> Body:
    return chance.choice(
        [
            {"tool": "proof.unstable", "arguments": {"n": chance.randrange(100)}},
            {"tool": "proof.fails", "arguments": {"text": chance.choice(["7", "zz", "3"])}},
            {"tool": "proof.needs", "arguments": {"sum": chance.choice([1, 9, "9", None])}},
            {"tool": "ads.buy", "arguments": {"amount": 3_000, "currency": "USD"}},
        ]
    )


_MAKERS = (_read, _anything, _payment, _mail, _sql, _said, _said, _changed, _odd)
