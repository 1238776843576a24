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
                **_signed(body, secret, ambient),
            }
            try:
                reply = await client.post(url, content=body, headers=headers)
            except httpx2.HTTPError as error:
                problem = type(error).__name__
            else:
                if reply.is_success:
                    return old
                if reply.status_code == 422:
                    raise NoteBroken(f"the witness saw another log at {old:,} events")
                problem = f"status {reply.status_code}"
                if reply.status_code == 409 and (seen := _size(reply.text)) not in (None, old):
                    old = seen or 0
                    continue
            if attempt + 1 < ATTEMPTS:
                await asyncio.sleep(pause_seconds * 2**attempt)
    raise WitnessAway(f"The witness did not take the checkpoint: {problem}.")


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
