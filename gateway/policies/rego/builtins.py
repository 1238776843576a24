"""The built-ins that rules may call, and why the others may not.

A rule is a function of its frame: what reaches outside, differs between two calls or is absent from
one of the engines would make a decision that cannot be judged again.
"""

from __future__ import annotations

from typing import Final

_ALLOWED = """
abs array.concat array.reverse array.slice base64.decode base64.encode base64.is_valid
base64url.decode base64url.encode base64url.encode_no_pad bits.and bits.lsh bits.negate bits.or
bits.rsh bits.xor ceil concat contains count endswith floor format_int glob.match
glob.quote_meta graph.reachable graph.reachable_paths hex.decode hex.encode indexof indexof_n
intersection is_array is_boolean is_null is_number is_object is_set is_string json.filter
json.is_valid json.marshal json.marshal_with_options json.patch json.remove json.unmarshal lower
max min net.cidr_contains net.cidr_expand net.cidr_is_valid numbers.range numbers.range_step
object.filter object.get object.keys object.remove object.subset object.union object.union_n
print product regex.find_all_string_submatch_n regex.find_n regex.is_valid regex.match
regex.replace regex.split regex.template_match replace round semver.compare semver.is_valid set
sort split sprintf startswith strings.any_prefix_match strings.any_suffix_match strings.count
strings.replace_n strings.reverse substring sum time.add_date time.clock time.date time.diff
time.format time.now_ns time.parse_duration_ns time.parse_ns time.parse_rfc3339_ns time.weekday
to_number trim trim_left trim_prefix trim_right trim_space trim_suffix type_name union
units.parse units.parse_bytes upper urlquery.decode urlquery.decode_object urlquery.encode
urlquery.encode_object uuid.parse walk yaml.is_valid yaml.marshal yaml.unmarshal
"""
ALLOWED: Final[frozenset[str]] = frozenset(_ALLOWED.split())

_OUTSIDE: Final = "reaches outside the frame"
_CHANCE: Final = "answers differently each time"
_ABSENT: Final = "is not available in every engine"

# A name, or a prefix that ends in a dot.
FORBIDDEN: Final[dict[str, str]] = {
    "http.send": _OUTSIDE,
    "net.lookup_ip_addr": _OUTSIDE,
    "opa.runtime": _OUTSIDE,
    "providers.": _OUTSIDE,
    "json.match_schema": f"{_OUTSIDE}: a schema may refer to an address",
    "json.verify_schema": f"{_OUTSIDE}: a schema may refer to an address",
    "rand.": _CHANCE,
    "uuid.rfc4122": _CHANCE,
    "trace": "writes what it sees to the engine's log",
    "rego.": _ABSENT,
    "crypto.": _ABSENT,
    "io.jwt.": _ABSENT,
    "graphql.": _ABSENT,
}

# What answers differently at the edges, and what to write instead.
EDGES: Final[dict[str, tuple[str, str]]] = {
    "glob.match": (
        "portable_glob",
        "engines disagree on braces and delimiters in globs; startswith and endswith are exact",
    ),
    "net.cidr_contains": (
        "portable_cidr",
        "engines disagree on IPv4 addresses written as IPv6 (::ffff:10.0.0.1)",
    ),
    "lower": ("portable_case", "engines disagree on the case of letters beyond ASCII"),
    "upper": ("portable_case", "engines disagree on the case of letters beyond ASCII"),
    "to_number": ("portable_number", 'engines disagree on text such as " 1": an error or a number'),
    "sum": ("portable_float", "engines disagree on sums of fractions; integers are exact"),
    "product": ("portable_float", "engines disagree on products of fractions; integers are exact"),
    "semver.compare": ("portable_semver", "engines disagree on the order of pre-releases"),
}

_TEXT_RESULTS = """
base64.encode base64url.encode concat format_int hex.encode json.marshal lower replace sprintf
strings.replace_n strings.reverse substring trim trim_left trim_prefix trim_right trim_space
    trim_suffix upper urlquery.encode yaml.marshal
"""
TEXT_RESULTS: Final[frozenset[str]] = frozenset(_TEXT_RESULTS.split())


def why_forbidden(name: str) -> str | None:
    """The reason why rules may not call this built-in; None for any other name."""
    for forbidden, reason in FORBIDDEN.items():
        if name == forbidden or (forbidden.endswith(".") and name.startswith(forbidden)):
            return reason
    return None
