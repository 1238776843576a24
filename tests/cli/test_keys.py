"""`checkrein keys`: made, listed, replaced and revoked while the gateway is at work (S2)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.cli.commands import Done, Up, checkrein, eventually

CHECK = {"action": {"tool": "crm.read_customer", "arguments": {"id": "cus_1"}}}
Asked = Callable[..., Done]


def made(asked: Asked, gateway: Up, *arguments: str) -> dict[str, Any]:
    """A new key, as `keys create --json` tells it."""
    done = asked("keys", "create", "--data", gateway.data, "--json", *arguments)
    assert done.code == 0, done.err
    told: dict[str, Any] = done.json
    return told


def answers(gateway: Up, key: str, status: int) -> Callable[[], bool]:
    return lambda: gateway.check(CHECK, key=key).status_code == status


def test_a_new_key_works_for_its_environment(asked: Asked, gateway: Up) -> None:
    """A running gateway takes it without a restart, and judges in that environment's mode."""
    key = made(asked, gateway, "--environment", "production", "--name", "billing agent")

    assert key["api_key"].startswith("cr_production_")
    assert eventually(answers(gateway, key["api_key"], 200))
    assert gateway.check(CHECK, key=key["api_key"]).json()["mode"] == "block"


def test_a_key_is_limited_to_its_scopes_and_its_agent(asked: Asked, gateway: Up) -> None:
    key = made(asked, gateway, "--scope", "read", "--agent", "billing", "--expires", "30")

    assert key["scopes"] == ["read"]
    assert key["agent_id"] == "billing"
    assert key["expires_at"] > key["created_at"]
    assert eventually(answers(gateway, key["api_key"], 403))


def test_a_revoked_key_stops_working(asked: Asked, gateway: Up) -> None:
    """S2: within seconds, everywhere."""
    key = made(asked, gateway)
    assert eventually(answers(gateway, key["api_key"], 200))

    done = asked("keys", "revoke", key["id"], "--data", gateway.data, "--json")

    assert done.code == 0
    assert eventually(answers(gateway, key["api_key"], 401))
    again = asked("keys", "revoke", key["id"], "--data", gateway.data, "--json")
    assert again.json == done.json


def test_a_rotated_key_works_until_its_grace_is_over(asked: Asked, gateway: Up) -> None:
    """S2: two live keys while rotating; the old one ends by itself."""
    old = made(asked, gateway, "--environment", "staging", "--name", "rotated")

    done = asked("keys", "rotate", old["id"], "--grace", "2s", "--data", gateway.data, "--json")

    new = done.json
    assert new["replaces"] == old["id"]
    assert (new["environment"], new["name"]) == ("staging", "rotated")
    assert eventually(answers(gateway, new["api_key"], 200))
    assert eventually(answers(gateway, old["api_key"], 401))
    assert gateway.check(CHECK, key=new["api_key"]).status_code == 200


def test_a_rotated_key_without_grace_goes_on_working(asked: Asked, gateway: Up) -> None:
    old = made(asked, gateway)

    new = asked("keys", "rotate", old["id"], "--data", gateway.data, "--json").json

    assert new["old_key_ends_at"] is None
    assert eventually(answers(gateway, new["api_key"], 200))
    assert gateway.check(CHECK, key=old["api_key"]).status_code == 200


def test_the_list_tells_everything_but_the_keys(asked: Asked, gateway: Up) -> None:
    """S2: a key is shown once; what is kept is neither the key nor its digest."""
    key = made(asked, gateway, "--name", "listed")

    for done in (
        asked("keys", "list", "--data", gateway.data),
        asked("keys", "list", "--data", gateway.data, "--json"),
    ):
        assert done.code == 0
        assert key["id"] in done.out
        assert key["api_key"] not in done.out + done.err
        assert "digest" not in done.out


def test_only_the_key_is_on_standard_output(asked: Asked, gateway: Up) -> None:
    """`KEY=$(checkrein keys create)` works."""
    done = asked("keys", "create", "--data", gateway.data)

    assert done.out.strip().startswith("cr_development_")
    assert len(done.out.split()) == 1


def test_an_unknown_key_is_absent(asked: Asked, gateway: Up) -> None:
    for command in ("rotate", "revoke"):
        done = asked("keys", command, "nothing", "--data", gateway.data, "--json")

        assert done.code == 4
        assert "keys list" in done.json["next"]


def test_what_cannot_be_understood_is_a_usage_error(asked: Asked, gateway: Up) -> None:
    key = made(asked, gateway)
    where = ("--data", str(gateway.data))

    assert asked("keys", "create", "--environment", "No Good", *where).code == 2
    assert asked("keys", "create", "--scope", "everything", *where).code == 2
    assert asked("keys", "create", "--expires", "0", *where).code == 2
    assert asked("keys", "rotate", key["id"], "--grace", "soon", *where).code == 2


def test_a_folder_without_a_gateway_is_absent(tmp_path: Path) -> None:
    done = checkrein("keys", "list", "--data", tmp_path / "none", "--json", cwd=tmp_path)

    assert done.code == 4
    assert "checkrein up" in done.json["next"]
    assert not (tmp_path / "none").exists()
