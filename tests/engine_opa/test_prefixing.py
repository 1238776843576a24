"""Text is moved below a prefix, and what OPA read of it is looked at."""

from __future__ import annotations

import json

import pytest

from gateway.engines.opa.copies import prefix_of
from gateway.engines.opa.prefixing import prefixed
from gateway.engines.opa.resolved import fault
from tests.engine_opa.server_side import call

PREFIX = ("checkrein", "k", "p")
MOVED = {
    "package a.b\nx := data.c": "package checkrein.k.p.a.b\nx := data.checkrein.k.p.c",
    "package a\nimport data.l as y": "package checkrein.k.p.a\nimport data.checkrein.k.p.l as y",
    'package a\nx := data["c"][i]': 'package checkrein.k.p.a\nx := data.checkrein.k.p["c"][i]',
    "package a\nx := input.data.c": "package checkrein.k.p.a\nx := input.data.c",
    'package a\nx := {"data": "data.c"}': 'package checkrein.k.p.a\nx := {"data": "data.c"}',
    'package a\nx := "\\" data.c"': 'package checkrein.k.p.a\nx := "\\" data.c"',
    'package a\nx := `" data.c`': 'package checkrein.k.p.a\nx := `" data.c`',
    '# data.c `\npackage a\n# " data.c\nx := data.c': (
        '# data.c `\npackage checkrein.k.p.a\n# " data.c\nx := data.checkrein.k.p.c'
    ),
    "package package_x\nx := database.c": "package checkrein.k.p.package_x\nx := database.c",
    "package a # b\nx if data_c": "package checkrein.k.p.a # b\nx if data_c",
    "package a\nx if y with data.c as data.d": (
        "package checkrein.k.p.a\nx if y with data.checkrein.k.p.c as data.checkrein.k.p.d"
    ),
}


@pytest.mark.parametrize("text", MOVED)
def test_only_the_package_and_references_to_data_change(text):
    assert prefixed(text, PREFIX) == MOVED[text]


@pytest.mark.parametrize(
    ("body", "seen"),
    [
        ("x if data.checkrein.k.p.lib.y", None),
        ("import data.checkrein.k.p.lib\nx := lib.y + count(data.checkrein.k.p.z[_])", None),
        ("x if data.lib.y", "data.lib.y"),
        ("x := [y | some y in data.lib.y]", "data.lib.y.*"),
        ("x if data.checkrein.other.p.y", "data.checkrein.other.p.y"),
        ("x if data.checkrein.k.entry.mark", "data.checkrein.k.entry.mark"),
        ("x if { k := `k`; data.checkrein[k].p.y }", "data.checkrein.*.p.y"),
        ("x if input.y with data.lib.y as 1", "data.lib.y"),
        ("x := $`{data.lib.y}`", "data.lib.y"),
    ],
)
def test_a_reference_that_was_overlooked_is_found_in_what_opa_read(own_server, body, seen):
    """Also where it hides from whoever reads words: in a template, behind a name, in `with`."""
    text = f"package checkrein.k.p.a\n{body}\n"
    status, complaint = call(own_server, "PUT", "policies/x", text.encode())
    assert status == 200, complaint

    found = fault(_raw(own_server), text, PREFIX)

    assert (found is None) if seen is None else (found or "").startswith(f"OPA reads {seen} here")


def test_another_module_than_the_one_that_was_pushed_is_found(own_server):
    text = "package checkrein.k.p.a\nx := 1\n"
    call(own_server, "PUT", "policies/x", text.encode())

    assert fault(_raw(own_server), text, PREFIX) is None
    assert fault(_raw(own_server), text + "y := 2\n", PREFIX) is not None
    assert fault(_raw(own_server), text, prefix_of("another")) is not None
    assert fault(b"{}", text, PREFIX) is not None


def _raw(server) -> bytes:
    return json.dumps(call(server, "GET", "policies/x")[1]).encode()
