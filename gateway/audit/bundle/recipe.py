"""VERIFY.md: how to check an export by hand, without Checkrein."""

from __future__ import annotations

TEXT = """# How to verify this export

With Checkrein, offline, with the public key that you got from whoever runs the gateway (not from
here; a key that came with the export proves nothing):

    checkrein audit verify FOLDER_OR_ZIP --public-key KEY.pem

Without it, in seven steps. SHA-256 and hexadecimal digits throughout.

1. `SIGNATURE.json` is a DSSE envelope. Decode `payload` from base64: these are the bytes of
   `RECEIPT.json`, no more and no less. The signature (`signatures[0].sig`, base64) is Ed25519 over

       DSSEv1 <length of payloadType> <payloadType> <length of payload> <payload>

   with single spaces, lengths in bytes as decimal digits. `keyid` is the first 32 digits of the
   hash of the 32 public bytes. If there is no `SIGNATURE.json`, nobody vouches for the export.
2. Hash every other file and compare with `files` in the receipt. There are no others.
3. Each line of `REPLAY.jsonl`, without its line break, is one event as it was recorded. Its hash
   is the one at the same place in `chain.hashes`. The first that differs is the event that was
   touched.
4. The events are a chain: `prev_hash` of each is the hash of the one before, of the first it is
   `chain.genesis`: the hash of the JSON array ["checkrein/chain/v1", project id, run id] without
   spaces. `seq` counts from 1 without a gap (only a new `epoch` begins again at a number in use).
5. Content is in `blobs/`, named by its hash. A line of `OPENINGS.jsonl` says which part of which
   event a blob is: HMAC-SHA256 with the key `opening` over the blob is what that event's `blobs`
   holds under the part's name. Parts without a line are not shown or were erased; their
   commitments stay in the chain. That a run was erased stands in `content.erased` of the receipt.
6. `LOG.json`, where there is one, shows that the run is in its project's log. `checkpoint` is a
   signed note: origin, size and root (base64) of the log, an empty line, and a line with the
   signature: base64 of 4 bytes and an Ed25519 signature over the three lines. The leaf is SHA-256
   of a zero byte and the 32 bytes of `chain.head`; `proof` leads from place `index` to the root as
   RFC 9162, section 2.1.3.2, says. Each event holds the hash before it, so the last one speaks for
   all. Hold size and root against what a witness has seen: a log that was cut or forked differs.
7. Everything else in the receipt follows from the events. Artifacts it names by digest can be
   hashed again: `checkrein audit verify ... --artifacts FOLDER`.
"""


def text() -> bytes:
    return TEXT.encode()
