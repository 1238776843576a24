"""What a ruleset looks like on an OPA server: its modules, its data and the entry that asks them.

All of it is below a key made from the ruleset's digest, so versions live side by side and several
gateways push the same bytes. Each module gets a function of its own, which the entry calls: OPA
then refuses the entry while a module is missing, and refuses to delete a module while the entry is
there. Data is written together with a mark that the entry looks for. What answers is whole.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence

import msgspec
from msgspec import Struct

from gateway.domain.ruleset import Ruleset
from gateway.engines.opa.prefixing import prefixed
from gateway.policies.analysis import Analysis

ROOT = "checkrein"
# Changes with every change of what is generated here, so that two releases do not overwrite each
# other's.
FORMAT = "v1"
CLOCK = "with time.now_ns as to_number(input.frame.time.ns)"

_HEX = re.compile("[0-9a-f]{64}")


class Module(Struct, frozen=True):
    """One module on the server. `path` is its file in the policy, for complaints."""

    id: str
    path: str
    text: str


class Copy(Struct, frozen=True):
    """A ruleset as it is pushed. Modules come after those whose functions they call.

    `names` is rule id -> its name in the entry; `mark` is what a whole copy says about itself.
    """

    key: str
    modules: tuple[Module, ...]
    data: bytes
    entry: Module
    names: dict[str, str]
    mark: str

    @property
    def data_path(self) -> str:
        return f"data/{ROOT}/{self.key}"

    @property
    def about_path(self) -> str:
        return f"{self.data_path}/entry/about"

    @property
    def said_path(self) -> str:
        """Where rules are asked; an error of a built-in must not pass for silence."""
        return f"{self.data_path}/entry/said?strict-builtin-errors=true"

    @property
    def prefix(self) -> tuple[str, ...]:
        return prefix_of(self.key)

    def body(self, rules: Sequence[str], frame: bytes) -> bytes:
        """The question: these rules of this frame."""
        asked = ",".join(f'"{self.names[rule]}"' for rule in rules)
        return b'{"input":{"asked":[%s],"frame":%s}}' % (asked.encode(), frame)


def key_of(digest: str) -> str:
    """The name of a ruleset on the server: letters and digits, whatever the digest looks like."""
    named = digest if _HEX.fullmatch(digest) else hashlib.sha256(digest.encode()).hexdigest()
    return f"{FORMAT}_{named}"


def prefix_of(key: str) -> tuple[str, ...]:
    return (ROOT, key, "p")


def module_id(key: str, number: int) -> str:
    return f"{ROOT}/{key}/m{number}"


def entry_id(key: str) -> str:
    return f"{ROOT}/{key}/entry"


def copy_of(ruleset: Ruleset, analysis: Analysis) -> Copy:
    """The copy of a ruleset in which `examining` found no fault."""
    key = key_of(ruleset.digest)
    prefix = prefix_of(key)
    shipped = {p: name for p, name in analysis.packages.items() if not p.endswith("_test.rego")}
    # A package reaches more than any that it needs, unless they need each other.
    order = sorted(shipped, key=lambda path: (len(analysis.reaches(shipped[path])), path))
    modules = tuple(
        Module(
            module_id(key, number),
            path,
            f"{prefixed(ruleset.modules[path], prefix)}\n\n{_here(number)}(_) := true\n",
        )
        for number, path in enumerate(order)
    )
    data = msgspec.json.encode(ruleset.data, order="sorted")
    mark = _mark(modules, data)
    names = {rule.id: f"r{number}" for number, rule in enumerate(ruleset.rules)}
    packages = [rule.package for rule in ruleset.rules]
    whole = [f"{shipped[path]}.{_here(number)}(0)" for number, path in enumerate(order)]
    return Copy(
        key=key,
        modules=modules,
        data=b'{"p":%s,"whole":"%s"}' % (data, mark.encode()),
        entry=Module(entry_id(key), "", _entry(key, mark, packages, whole)),
        names=names,
        mark=mark,
    )


def _here(number: int) -> str:
    return f"checkrein_here_{number}"


def _mark(modules: Sequence[Module], data: bytes) -> str:
    return hashlib.sha256(msgspec.json.encode([modules, data])).hexdigest()[:32]


def _entry(key: str, mark: str, packages: Sequence[str], whole: Sequence[str]) -> str:
    """The entry. `said` answers for the rules in `input.asked`, of `input.frame`.

    The clock is the frame's. `with` stands around all rules, so they share what they compute.
    """
    below = f"data.{'.'.join(prefix_of(key))}"
    rules = "\n".join(
        f"each.r{number} := {below}.{package}.verdict" for number, package in enumerate(packages)
    )
    functions = "\n".join(f"\t{below}.{name}" for name in whole)
    return f"""package {ROOT}.{key}.entry

mark := "{mark}"

{rules}

chosen := [answer |
\tsome name in data.{ROOT}.asked
\tanswer := each[name]
]

said := {{"mark": mark, "answers": answers}} if {{
\tdata.{ROOT}.{key}.whole == mark
\tanswers := [found |
\t\tfound := chosen with data.{ROOT}.asked as input.asked with input as input.frame {CLOCK}
\t]
}}

about := {{"mark": mark, "version": opa.runtime().version}} if {{
\tdata.{ROOT}.{key}.whole == mark
}}

complete if {{
\ttrue
{functions}
}}
"""
