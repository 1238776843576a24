"""The log over HTTP, checked as an outsider would who has the public key and an old checkpoint."""

from __future__ import annotations

import base64
from collections.abc import Iterator

import pytest

from gateway.ambient import SystemAmbient
from gateway.audit.bundle import checking, container
from gateway.audit.log import checkpoint, merkle
from gateway.audit.log.checkpoint import Checkpoint
from gateway.audit.log.proving import hash_of
from gateway.audit.signing.keys import PURPOSE, SigningKeys
from tests.api.live import Live, json, live_gateway


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    with live_gateway(tmp_path_factory.mktemp("log")) as live:
        yield live


def check(live: Live, run_id: str) -> None:
    body = {"run": {"id": run_id}, "action": {"tool": "files.read", "arguments": {"path": "a"}}}
    with live.client() as client:
        client.post("/v1/check-action", json=body).raise_for_status()


def read(live: Live, note: str, known: dict[str, bytes]) -> Checkpoint:
    return checkpoint.read(note.encode(), note.partition("\n")[0], known)


def test_what_is_not_signed_is_not_given(live: Live):
    with live.client() as client:
        refused = client.get("/v1/audit/log/checkpoint")

    assert (refused.status_code, json(refused)["code"]) == (409, "no_signing_key")


def test_proofs_lead_from_a_run_to_a_checkpoint_and_on_to_later_ones(live: Live):
    """A2 and A3: with the public key alone."""
    parts = live.gateway.parts
    keys = SigningKeys(parts.control, parts.keyring.derived(PURPOSE))
    live.run(keys.create(SystemAmbient()))
    known = live.run(keys.public_keys())
    check(live, "one")
    with live.client() as client:
        included = json(client.get("/v1/runs/one/inclusion"))
        then = json(client.get("/v1/audit/log/checkpoint"))
        for name in ("two", "three"):
            check(live, name)
            client.get(f"/v1/runs/{name}").raise_for_status()
        before = {"before": then["size"]}
        led = json(client.get("/v1/audit/log/consistency", params=before))
        old = json(client.get("/v1/audit/log/checkpoint", params={"size": then["size"]}))
        beyond = client.get("/v1/audit/log/checkpoint", params={"size": 10_000})
        early = client.get("/v1/runs/three/inclusion", params={"size": 1})

    under = read(live, included["checkpoint"], known)
    leaf = merkle.leaf_hash(bytes.fromhex(included["leaf"]))
    proof = [hash_of(each) for each in included["proof"]]
    merkle.check_inclusion(included["index"], under.size, leaf, proof, under.root)
    first, later = read(live, then["note"], known), read(live, led["checkpoint"], known)
    proof = [hash_of(each) for each in led["proof"]]
    merkle.check_consistency(first.size, later.size, first.root, proof, later.root)
    assert later.size > first.size
    assert old["note"] == then["note"]
    assert (beyond.status_code, early.status_code) == (404, 404)


def test_an_export_says_where_its_run_is_in_the_log(live: Live):
    """The same bytes also when the log has grown; a proof that was touched is a finding."""
    parts = live.gateway.parts
    known = live.run(SigningKeys(parts.control, parts.keyring.derived(PURPOSE)).public_keys())
    with live.client() as client:
        first = json(client.get("/v1/runs/one/export"))["zip"]
        check(live, "four")
        client.get("/v1/runs/four").raise_for_status()
        second = json(client.get("/v1/runs/one/export"))["zip"]
    files = container.unzipped(base64.b64decode(first))
    whole = checking.check_files(files, known)
    log = files["LOG.json"]
    kinds = []
    for at in range(0, len(log), 7):
        touched = bytearray(log)
        touched[at] ^= 1
        found = checking.check_files({**files, "LOG.json": bytes(touched)}, known)
        kinds.append({each.kind for each in found.findings})

    assert first == second
    assert (whole.ok, whole.log_size) == (True, 2)
    assert all({"log", "file"} <= each for each in kinds)
