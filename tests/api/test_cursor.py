"""Cursors: nobody makes one up, changes one, or takes one elsewhere."""

from __future__ import annotations

import base64
from typing import Any

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.api import cursor
from gateway.errors import BadRequest
from tests.api.asking import new_name, problem
from tests.api.live import Live, json

KEY = b"k" * 32
PLACE = ("2026-11-20T12:00:00.000000Z", "run_1")


@given(st.tuples(st.text(max_size=64), st.text(max_size=64)), st.text(max_size=20))
def test_a_cursor_leads_back_to_its_place(place: cursor.Place, project: str) -> None:
    written = cursor.write(KEY, project, ["runs"], place)

    assert cursor.read(KEY, project, ["runs"], written) == place


@given(st.data())
def test_a_changed_cursor_is_refused(data: st.DataObject) -> None:
    written = cursor.write(KEY, "prj", ["runs"], PLACE)
    raw = bytearray(base64.urlsafe_b64decode(written))
    raw[data.draw(st.integers(0, len(raw) - 1))] ^= data.draw(st.integers(1, 255))

    _refused("prj", ["runs"], base64.urlsafe_b64encode(raw).decode())


@given(st.text(max_size=200))
def test_a_made_up_cursor_is_refused(text: str) -> None:
    _refused("prj", ["runs"], text)


@pytest.mark.parametrize(
    ("key", "project", "wanted"),
    [
        (b"x" * 32, "prj", ["runs"]),
        (KEY, "other", ["runs"]),
        (KEY, "prj", ["approvals"]),
        (KEY, "prj", ["runs", {"status": "failed"}]),
    ],
)
def test_a_cursor_stays_with_its_key_project_and_filters(
    key: bytes, project: str, wanted: Any
) -> None:
    written = cursor.write(KEY, "prj", ["runs"], PLACE)

    with pytest.raises(BadRequest, match="cursor"):
        cursor.read(key, project, wanted, written)


def test_a_cursor_is_of_no_use_to_another_project(live: Live) -> None:
    """S1: what one project may see cannot be carried into another."""
    with live.client() as client, live.client("other") as other:
        following = _following(client)

        response = other.get("/v1/runs", params={"limit": 1, "cursor": following})

    problem(response, 400, "bad_cursor")


def test_a_cursor_of_one_list_is_none_of_another(client: httpx2.Client) -> None:
    following = _following(client)

    for query in ("/v1/approvals?limit=1", "/v1/runs?limit=1&status=failed"):
        response = client.get(f"{query}&cursor={following}")
        problem(response, 400, "bad_cursor")


def _following(client: httpx2.Client) -> str:
    for _ in range(2):
        run = new_name()
        client.post("/v1/runs", json={"id": run})
        client.get(f"/v1/runs/{run}")
    following: str = json(client.get("/v1/runs?limit=1"))["next_cursor"]
    return following


def _refused(project: str, wanted: Any, text: str) -> None:
    with pytest.raises(BadRequest) as refused:
        cursor.read(KEY, project, wanted, text)
    assert refused.value.code == "bad_cursor"
