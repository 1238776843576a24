"""Export and verification over HTTP: the same bytes, only the own project's, bounded."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.ambient import SystemAmbient
from gateway.audit.bundle import container
from gateway.audit.signing.keys import PURPOSE, SigningKeys
from tests.api.live import Live, json, live_gateway

CHECK = {"run": {"id": "r1"}, "action": {"tool": "files.read", "arguments": {"path": "a"}}}
EXPORT = "/v1/runs/r1/export"


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    with live_gateway(tmp_path_factory.mktemp("live")) as live:
        parts = live.gateway.parts
        keys = SigningKeys(parts.control, parts.keyring.derived(PURPOSE))
        live.run(keys.create(SystemAmbient()))
        with live.client() as client:
            client.post("/v1/check-action", json=CHECK).raise_for_status()
        yield live


@pytest.mark.parametrize("path", ["/v1/audit/verify", "/api/audit/verify"])
def test_an_export_verifies_and_a_touched_event_is_named(live: Live, path: str):
    """S0-19 and S0-24."""
    with live.client() as client:
        first, second = (json(client.get(EXPORT)) for _ in range(2))
        whole = json(client.post(path, json={"zip": first["zip"]}))
        files = container.unzipped(base64.b64decode(first["zip"]))
        files["REPLAY.jsonl"] = files["REPLAY.jsonl"].replace(b'"allow"', b'"block"', 1)
        touched = base64.b64encode(container.zipped(files)).decode()
        changed = json(client.post(path, json={"zip": touched}))

    assert first == second
    assert (whole["ok"], whole["signed_by"]) == (True, first["signed_by"])
    assert changed["ok"] is False
    assert 2 in [each["seq"] for each in changed["findings"] if each["kind"] == "event"]


def test_another_project_gets_nothing(live: Live):
    with live.client("other") as client:
        assert client.get(EXPORT).status_code == 404
    with live.client("check") as client:
        assert client.get(EXPORT).status_code == 403
    with live.client(None) as client:
        assert client.post("/api/audit/verify", json={"zip": ""}).status_code == 401


@pytest.mark.parametrize("zip", ["", "%%%", base64.b64encode(b"PK\x03\x04").decode()])
def test_what_is_no_export_is_refused(live: Live, zip: str):
    with live.client() as client:
        reply = client.post("/v1/audit/verify", json={"zip": zip})
        key = client.post("/v1/audit/verify", json={"zip": zip, "public_key": "none"})

    assert (reply.status_code, json(reply)["code"]) == (400, "bad_evidence")
    assert (key.status_code, json(key)["code"]) == (400, "bad_evidence")


def test_content_can_be_left_out(live: Live, tmp_path: Path):
    with live.client() as client:
        bare = json(client.get(EXPORT, params={"content": "false"}))

    files = container.unzipped(base64.b64decode(bare["zip"]))
    assert not [name for name in files if name.startswith("blobs/")]
