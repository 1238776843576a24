"""A2: a log that was cut or forked is found by whoever has seen an older checkpoint of it."""

from __future__ import annotations

import base64
import hashlib
import hmac
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from gateway.audit.log import checkpoint, git_witness, merkle, webhook_witness
from gateway.audit.log.checkpoint import Checkpoint, NoteBroken
from gateway.audit.log.git_witness import WitnessAway
from gateway.audit.signing.ed25519 import PublicKeys
from tests.audit.exported import KEYS, SIGNER
from tests.make import FixedAmbient

ORIGIN = checkpoint.origin_of("prj_1")
SECRET = b"what the witness knows us by"
LEAVES = [merkle.leaf_hash(sha256(bytes([n])).digest()) for n in range(9)]
FORKED = [*LEAVES[:3], merkle.leaf_hash(b"another"), *LEAVES[4:]]


def note_of(leaves: list[bytes]) -> bytes:
    return checkpoint.sign(Checkpoint(ORIGIN, len(leaves), merkle.root(leaves)), SIGNER)


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    subprocess.run(["git", "init", "-q", str(tmp_path / "git")], check=True)
    folder = tmp_path / "git" / "checkpoints"
    folder.mkdir()
    return folder


def test_a_repository_remembers_every_checkpoint_that_was_committed(repository: Path):
    assert git_witness.seen(repository, ORIGIN, KEYS) == []
    first = git_witness.push(repository, note_of(LEAVES[:4]), 4)
    again = git_witness.push(repository, note_of(LEAVES[:4]), 4)
    later = git_witness.push(repository, note_of(LEAVES), 9)
    subprocess.run(
        ["git", "-C", str(repository), "rm", "-q", "checkpoint-000000000000004.txt"], check=True
    )
    commit = ["git", *git_witness.AUTHOR, "-C", str(repository), "commit", "-qm", "gone"]
    subprocess.run(commit, check=True)

    seen = git_witness.seen(repository, ORIGIN, KEYS)

    assert (first == again, first == later) == (True, False)
    assert sorted(each.size for each in seen) == [4, 9]


def test_a_checkpoint_that_was_touched_in_the_repository_is_named(repository: Path):
    git_witness.push(repository, note_of(LEAVES[:4]).replace(b"\n4\n", b"\n5\n"), 4)

    with pytest.raises(NoteBroken, match=r"checkpoint-000000000000004\.txt in commit"):
        git_witness.seen(repository, ORIGIN, KEYS)


def test_a_folder_that_is_no_repository_is_no_witness(tmp_path: Path):
    with pytest.raises(WitnessAway):
        git_witness.push(tmp_path, note_of(LEAVES), 9)


class Witness:
    """Keeps the checkpoint it saw last, as C2SP's protocol says, and fails when it is told to."""

    def __init__(self, origin: str = ORIGIN, keys: PublicKeys = KEYS) -> None:
        self.seen = Checkpoint(origin, 0, merkle.EMPTY)
        self.keys = keys
        self.failures = 0
        self.calls = 0

    def answer(self, body: bytes, signature: str) -> tuple[int, str]:
        self.calls += 1
        at, _, digest = signature.removeprefix("t=").partition(",v1=")
        wanted = hmac.new(SECRET, f"{at}.".encode() + body, hashlib.sha256).hexdigest()
        if digest != wanted:
            return 403, ""
        if self.failures:
            self.failures -= 1
            return 503, ""
        head, _, note = body.partition(b"\n\n")
        old, *lines = head.decode().split("\n")
        given = checkpoint.read(note, self.seen.origin, self.keys)
        if int(old.removeprefix("old ")) != self.seen.size:
            return 409, f"{self.seen.size}\n"
        proof = [base64.b64decode(line) for line in lines]
        try:
            merkle.check_consistency(self.seen.size, given.size, self.seen.root, proof, given.root)
        except merkle.ProofWrong:
            return 422, ""
        self.seen = given
        return 200, ""


@contextmanager
def served(witness: Witness) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            signature = self.headers.get(webhook_witness.SIGNATURE, "")
            status, text = witness.answer(body, signature)
            self.send_response(status)
            self.send_header("content-length", str(len(text)))
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, *_: Any) -> None:
            """Nothing to say."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/add-checkpoint"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


async def push(url: str, leaves: list[bytes], secret: bytes | None = SECRET) -> int:
    async def prove(old: int) -> list[bytes] | None:
        if old > len(leaves):
            return None
        return merkle.consistency_proof(leaves, old) if old else []

    return await webhook_witness.push(
        url, note_of(leaves), prove, FixedAmbient(), secret=secret, pause_seconds=0
    )


async def test_a_webhook_is_led_from_what_it_saw_last():
    witness = Witness()
    with served(witness) as url:
        first = await push(url, LEAVES[:4])
        witness.failures = 2
        second = await push(url, LEAVES)

    assert (first, second, witness.seen.size) == (0, 4, 9)


@pytest.mark.parametrize("leaves", [FORKED, LEAVES[:2]], ids=["forked", "cut"])
async def test_a_webhook_finds_a_log_that_is_not_the_one_it_saw(leaves: list[bytes]):
    witness = Witness()
    with served(witness) as url:
        await push(url, LEAVES[:5])
        with pytest.raises(NoteBroken):
            await push(url, leaves)

    assert witness.seen.size == 5


async def test_a_webhook_that_does_not_take_it_is_said_to_be_away():
    witness = Witness()
    with served(witness) as url, pytest.raises(WitnessAway):
        await push(url, LEAVES, secret=None)
    with pytest.raises(WitnessAway):
        await push(url, LEAVES)

    assert witness.calls == webhook_witness.ATTEMPTS
