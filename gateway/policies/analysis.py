"""What can be known of Rego modules without running them: the door to `gateway.policies.rego`."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Mapping

import msgspec

from gateway.policies.rego import sandbox
from gateway.policies.rego.findings import Analysis, Finding

__all__ = ["Analysis", "Finding", "analyse"]

MODULE_BYTES_MAX = 256 * 1024
MODULES_MAX = 10_000
REMEMBERED = 4

_known: OrderedDict[bytes, Analysis] = OrderedDict()


def analyse(modules: Mapping[str, str]) -> Analysis:
    """Parse and examine `modules` (path -> Rego text). Never raises for what a text says.

    Starts a child process and takes tens of milliseconds: call it off the event loop. The last few
    answers are remembered: a policy is analysed when it is checked, and again when it is loaded.
    """
    key = hashlib.sha256(msgspec.json.encode(sorted(modules.items()))).digest()
    if (known := _known.get(key)) is None:
        known = _known[key] = _analyse(modules)
        while len(_known) > REMEMBERED:
            _known.popitem(last=False)
    return known


def _analyse(modules: Mapping[str, str]) -> Analysis:
    if len(modules) > MODULES_MAX:
        text = f"{len(modules)} modules are more than the {MODULES_MAX} that a policy may have"
        return Analysis(findings=(Finding("", 0, "too_large", text),))
    large = {path for path, text in modules.items() if len(text.encode()) > MODULE_BYTES_MAX}
    analysis = sandbox.examine({path: text for path, text in modules.items() if path not in large})
    limit = f"a module has at most {MODULE_BYTES_MAX // 1024} KiB"
    findings = [Finding(path, 1, "too_large", limit) for path in large]
    return msgspec.structs.replace(
        analysis, findings=tuple(sorted((*analysis.findings, *findings)))
    )
