"""What examining Rego says: findings for the author, facts for the loader."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

Path = tuple[str, ...]
RuleKind = Literal["set", "value", "function"]


class Finding(Struct, frozen=True, order=True):
    """Something the author of a policy should know, at a line. An `error` forbids the ruleset.

    `code` is stable: `syntax`, `too_large`, `recursion`, `forbidden_builtin`, `unknown_function`,
    `reserved_package`, `package_name`, `conflict`, and `portable_*` for warnings about what Rego
    engines answer differently.
    """

    path: str
    line: int
    code: str
    text: str
    severity: Literal["error", "warning"] = "error"

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.text} [{self.code}]"


class Analysis(Struct, frozen=True):
    """What is known of a set of modules. One that could not be parsed has findings, no facts.

    `packages` is module path -> package, without the leading `data.` (`payments.amount_limit`).
    `input_paths` is package -> the paths of `input` that it reads: `("action", "amount", "value")`,
    with `*` for a step that is a variable. A path stands for the value there and all below it; the
    empty path is `input` used whole.
    `imports` is package -> the other packages that it refers to, by import or as `data....`.
    `definitions` is package -> the rules it defines, by name, and their kind.
    Modules named `*_test.rego` count in `findings` and `packages` only.
    """

    findings: tuple[Finding, ...] = ()
    packages: dict[str, str] = {}
    input_paths: dict[str, frozenset[Path]] = {}
    imports: dict[str, frozenset[str]] = {}
    definitions: dict[str, dict[str, RuleKind]] = {}

    @property
    def errors(self) -> tuple[Finding, ...]:
        return tuple(finding for finding in self.findings if finding.severity == "error")

    def reaches(self, package: str) -> frozenset[str]:
        """The package and every package it refers to, directly or through others."""
        seen: set[str] = set()
        waiting = [package]
        while waiting:
            if (name := waiting.pop()) not in seen:
                seen.add(name)
                waiting.extend(self.imports.get(name, ()))
        return frozenset(seen)

    def reads(self, package: str) -> frozenset[Path]:
        """The input paths that the package reads, itself or through packages it refers to."""
        empty: frozenset[Path] = frozenset()
        return empty.union(*(self.input_paths.get(name, empty) for name in self.reaches(package)))
