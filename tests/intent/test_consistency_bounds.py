"""Numbers that the request bounds: what keeps within is said, what does not is not."""

from __future__ import annotations

import pytest

from gateway.intent.evidence import Evidence
from gateway.intent.v1.consistency_bounds import kept
from gateway.intent.v1.consistency_view import view_of

CENTS = "Amounts are in cents."


@pytest.mark.parametrize(
    ("request_text", "key", "within", "beyond", "told"),
    [
        ("spend at most 100 USD", "amount", 4_000, 40_000, CENTS),
        ("pay no more than $100 for it", "amount", 10_000, 10_001, CENTS),
        ("find a hotel under $120 a night", "price", 90, 130, ""),
        ("my budget is 200 dollars", "price", 150, 250, ""),
        ("list up to 20 invoices", "limit", 10, 50, ""),
        ("show 5 results or fewer", "limit", 4, 6, ""),
        ("restaurants with at least 4 stars", "stars", 5, 3, ""),
        ("not less than 8 guests", "guests", 9, 7, ""),
        ("between us: 10 seats or more, at most 15", "seats", 12, 16, ""),
    ],
)
def test_a_number_within_its_bound_is_said(
    request_text: str, key: str, within: int, beyond: int, told: str
) -> None:
    assert _kept(request_text, key, within, told)
    assert not _kept(request_text, key, beyond, told)


@pytest.mark.parametrize(
    ("request_text", "value"),
    [("charge 100 USD", 40), ("at most a few", 3), ("spend at most 100 USD", -5), ("", 5)],
)
def test_without_a_bound_nothing_is_said(request_text: str, value: int) -> None:
    assert not _kept(request_text, "amount", value, "")


@pytest.mark.parametrize("value", [10**400, float("inf"), float("nan"), True, "many"])
def test_what_is_no_number_is_within_nothing(value: object) -> None:
    assert not _kept("at most 100", "limit", value, "")


def _kept(request_text: str, key: str, value: object, told: str) -> bool:
    view = view_of(
        Evidence(tool="shop", arguments={key: value}, request=request_text, description=told)
    )
    return any(kept(leaf, view.request) for leaf in view.leaves if leaf.key == key)
