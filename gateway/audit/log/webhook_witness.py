"""A witness behind an address: it is sent each checkpoint with a proof that the log only grew.

The body is that of the C2SP witness protocol:

    old <size that the witness saw last>
    <consistency proof, a hash in base64 on each line>

    <the checkpoint, a signed note>

A witness that saw another size answers 409 and that size; one to which the proof does not lead
answers 422. With a secret, `checkrein-signature: t=<seconds>,v1=<hex>` holds HMAC-SHA256 over the
seconds, a point and the body, so the witness knows who asks. Only an operator names an address,
no redirect is followed, and no proxy of the environment is used.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
from collections.abc import Awaitable, Callable

import httpx2

from gateway.ambient import Ambient
from gateway.audit.log.checkpoint import NoteBroken
from gateway.audit.log.git_witness import WitnessAway
from gateway.audit.log.proving import text_of

ATTEMPTS = 4
PAUSE_SECONDS = 0.5
TIMEOUT_SECONDS = 10.0
# A witness that answers a byte at a time is given so long for all of it.
ATTEMPT_SECONDS = 30.0
# It has a size to say, and nothing else.
REPLY_BYTES_MAX = 64
SIGNATURE = "checkrein-signature"

# The consistency proof from an older size to that of the checkpoint; None when it was larger.
Prove = Callable[[int], Awaitable[list[bytes] | None]]


async def push(
    url: str,
    note: bytes,
    prove: Prove,
    ambient: Ambient,
    *,
    secret: bytes | None = None,
    pause_seconds: float = PAUSE_SECONDS,
) -> int:
    """Send a checkpoint; the size that the witness saw before.

    Raises NoteBroken when the witness saw what this log does not go on from, WitnessAway when it
    does not answer.
    """
    old = 0
    problem = "no answer"
    async with httpx2.AsyncClient(
        timeout=TIMEOUT_SECONDS, trust_env=False, follow_redirects=False
    ) as client:
        for attempt in range(ATTEMPTS):
            proof = await prove(old)
            if proof is None:
                raise NoteBroken(f"the witness saw a log of {old:,} events, which is larger")
            body = b"".join([b"old %d\n" % old, *(_line(each) for each in proof), b"\n", note])
            headers = {
                "content-type": "text/plain; charset=utf-8",
                "accept-encoding": "identity",
                **_signed(body, secret, ambient),
            }
            try:
                async with asyncio.timeout(ATTEMPT_SECONDS):
                    status, said = await _answer(client, url, body, headers)
            except (httpx2.HTTPError, TimeoutError) as error:
                problem = type(error).__name__
            else:
                if 200 <= status < 300:
                    return old
                if status == 422:
                    raise NoteBroken(f"the witness saw another log at {old:,} events")
                problem = f"status {status}"
                if status == 409 and (seen := _size(said)) not in (None, old):
                    old = seen or 0
                    continue
            if attempt + 1 < ATTEMPTS:
                await asyncio.sleep(pause_seconds * 2**attempt)
    raise WitnessAway(f"The witness did not take the checkpoint: {problem}.")


async def _answer(
    client: httpx2.AsyncClient, url: str, body: bytes, headers: dict[str, str]
) -> tuple[int, str]:
    """The status, and of a conflict the first bytes of what is said, as they were sent."""
    said = b""
    async with client.stream("POST", url, content=body, headers=headers) as reply:
        if reply.status_code == 409:
            async for part in reply.aiter_raw():
                said += part[:REPLY_BYTES_MAX]
                if len(said) >= REPLY_BYTES_MAX:
                    break
    return reply.status_code, said.decode("ascii", "replace")


def _line(digest: bytes) -> bytes:
    return text_of(digest).encode() + b"\n"


def _size(text: str) -> int | None:
    said = text.strip()
    return int(said) if said.isascii() and said.isdecimal() and len(said) < 17 else None


def _signed(body: bytes, secret: bytes | None, ambient: Ambient) -> dict[str, str]:
    if secret is None:
        return {}
    at = ambient.now_ns() // 1_000_000_000
    digest = hmac.new(secret, b"%d." % at + body, hashlib.sha256).hexdigest()
    return {SIGNATURE: f"t={at},v1={digest}"}
