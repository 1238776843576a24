"""Artifacts hashed again: does the file at hand still have the digest that the run reported?

The agent's word about what it made is no evidence; the file is.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from gateway.audit.bundle import names
from gateway.audit.bundle.findings import Findings

_SIZES = {32: "md5", 40: "sha1", 64: "sha256", 96: "sha384", 128: "sha512"}


def check(claimed: dict[str, Any], folder: Path, findings: Findings) -> dict[str, str]:
    """What became of each artifact: `same`, `differs`, `absent`, or `no digest`.

    The last report of a name counts. No name leads out of the folder, whatever it says.
    """
    listed = claimed.get("artifacts")
    last = {
        each["name"]: each
        for each in (listed if isinstance(listed, list) else [])
        if isinstance(each, dict) and isinstance(each.get("name"), str)
    }
    found: dict[str, str] = {}
    for name, each in sorted(last.items()):
        found[name] = _state(folder, name, each.get("digest"))
        if found[name] in ("differs", "absent"):
            seq = each.get("seq")
            findings.add(
                "artifact",
                f"{names.RECEIPT} artifact {name[:200]}",
                found[name],
                seq if isinstance(seq, int) else None,
                0,
            )
    return found


def _state(folder: Path, name: str, digest: Any) -> str:
    if not isinstance(digest, str):
        return "no digest"
    wanted = digest.removeprefix("sha256:").lower()
    kind = "sha256" if digest.startswith("sha256:") else _SIZES.get(len(wanted), "")
    if kind not in ("sha256", "sha384", "sha512"):
        # What can be forged proves nothing.
        return "no digest"
    root = folder.resolve()
    place = (root / name.replace("\x00", "")).resolve()
    if not place.is_relative_to(root) or not place.is_file():
        return "absent"
    with place.open("rb") as file:
        return "same" if hashlib.file_digest(file, kind).hexdigest() == wanted else "differs"
