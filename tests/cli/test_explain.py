"""`checkrein explain`: where a value came from, over HTTP and from the folder."""

from __future__ import annotations

from collections.abc import Callable

from tests.cli.commands import Done, Up

Asked = Callable[..., Done]


def test_a_flipped_flag_is_explained(asked: Asked) -> None:
    """S1-11: asked for a charge, planned as no refund; no model call was recorded."""
    done = asked("explain", "seen", "--json")

    assert done.code == 0
    (found,) = done.json["findings"]
    assert (found["pointer"], found["cause"]) == ("/action/arguments/is_refund", "unknown")
    assert found["candidates"] == ["model_against_plan", "code_changed"]
    assert done.json["missing"]


def test_the_picture_shows_the_way_of_the_value(asked: Asked) -> None:
    done = asked("explain", "seen", "2", "/is_refund")

    assert done.code == 0
    rows = [line.split() for line in done.out.splitlines()]
    stations = [row[0] if row[0] != ">>" else row[1] for row in rows if row]
    assert [each for each in stations if each in ("request", "plan", "call")] == [
        *("request", "plan", "call"),
    ]
    assert "is_refund is true where false was meant" in done.out
    assert "not recorded" in done.out
    (flip,) = [row for row in rows if row[:1] == [">>"]]
    assert flip[1:4] == ["call", "2", "true"]


def test_the_folder_and_the_api_tell_the_same(asked: Asked, gateway: Up) -> None:
    import httpx2

    over_http = asked("explain", "seen", "--json")
    from_folder = asked("explain", "seen", "--data", gateway.data, "--json")
    of_api = httpx2.get(
        f"{gateway.ready['url']}/v1/runs/seen/explain",
        headers={"authorization": f"Bearer {gateway.ready['api_key']}"},
        trust_env=False,
    )

    assert over_http.json == from_folder.json == of_api.json()


def test_what_is_not_there_says_what_to_do(asked: Asked) -> None:
    unknown = asked("explain", "seen", "nobody", "--json")
    nowhere = asked("explain", "seen", "2", "/nothing", "--json")

    assert (unknown.code, nowhere.code) == (4, 2)
    assert "checkrein replay seen" in unknown.json["next"]
    assert "no argument" in nowhere.json["error"]
