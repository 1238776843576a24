"""What examining Rego finds without running it: input paths, packages, edges between engines."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.policies.analysis import Analysis, analyse
from gateway.policies.rego.reading import RuleFacts
from gateway.policies.rego.recursion import cycles

# The body of a rule, and the input paths it reads, in dotted form.
READS = {
    "x if input.action.tool == 1": {"action.tool"},
    'x if input["action"].arguments["to"] == 1': {"action.arguments.to"},
    "x if input.list[0].a == 1": {"list.0.a"},
    "x if input.list[_].a == 1": {"list.*.a"},
    "x if { some i; input.list[i] == input.names[i] }": {"list.*", "names.*"},
    "x if input.a[input.b].c == 1": {"a.*.c", "b"},
    "x if { some item in input.items; item.price > 1; item.tags[_] == 2 }": {
        "items.*.price",
        "items.*.tags.*",
    },
    "x if { some k, v in input.items; k == v }": {"items.*"},
    "x if { some _ in input.items }": {"items"},
    'x if { some {"p": p} in input.items; p }': {"items"},
    "x if { every item in input.items { item.a.b } }": {"items.*.a.b"},
    "x if { every k, v in input.items { k == v.z } }": {"items.*.z"},
    "x if { a := input.action; b := a.arguments; b.amount > 1 }": {"action.arguments.amount"},
    "x if { a := input.action; f(a) }\nf(p) if p.tool": {"action"},
    "x if { [a, b] := [input.p, input.q]; a == b }": {"p", "q"},
    "x if { a = input.p; a.q }": {"p"},
    "x if { a := input.unused; 1 == 1 }": set(),
    "x := [a | a := input.b[_].c; a > 1]": {"b.*.c"},
    "x := {k: v | some k, v in input.m; v > 1}": {"m.*"},
    "x contains v if { v := input.v }": {"v"},
    "x contains input.v": {"v"},
    "x[input.k] := 1": {"k"},
    "x := 1 if input.a else := input.b if input.c": {"a", "b", "c"},
    "default x := 1\nx := input.a": {"a"},
    "x if walk(input, [_, v])": {""},
    "x if input": {""},
    "x if { y with input as {`a`: 1} }\ny if input.a": {"a"},
    "x if not input.a.b": {"a.b"},
    "x if sprintf(`%v`, [input.deep[input.inner].z])": {"deep.*.z", "inner"},
    "import input.action as act\nx if act.tool": {"action.tool"},
    "import input.action\nx if action.tool": {"action.tool"},
    "f(input_like) if input_like.x\nx if f(input.a)": {"a"},
    'x if { "é👍" == 1; some item in input.list; item.name }': {"list.*.name"},
}


@pytest.fixture(scope="module")
def read() -> Analysis:
    """All bodies examined at once, each in a package of its own."""
    return analyse({f"{n}.rego": f"package p{n}\n{body}" for n, body in enumerate(READS)})


@pytest.mark.parametrize("body", READS)
def test_the_input_paths_of_a_package_are_known(read, body):
    package = f"p{list(READS).index(body)}"

    assert read.errors == ()
    assert {".".join(path) for path in read.input_paths[package]} == READS[body]


def test_paths_through_libraries_count_for_the_rule_that_uses_them():
    analysis = analyse(
        {
            "a.rego": "package rules.a\nimport data.lib.one as l\nx if l.y",
            "b.rego": "package lib.one\ny if data.lib.two.z\nw := input.own if y",
            "c.rego": "package lib.two\nz if input.far",
            "d.rego": "package other\nz if input.not_mine",
            "a_test.rego": "package rules.a_test\nt if data.other.z with input as input.test",
        }
    )

    assert analysis.errors == ()
    assert analysis.imports["rules.a"] == {"lib.one"}
    assert analysis.reaches("rules.a") == {"rules.a", "lib.one", "lib.two"}
    assert analysis.reads("rules.a") == {("own",), ("far",)}
    assert analysis.packages["a_test.rego"] == "rules.a_test"
    assert "rules.a_test" not in analysis.imports


def test_a_reference_with_a_variable_step_needs_every_package_below():
    analysis = analyse(
        {
            "a.rego": "package rules.a\nx if data.lib[_].y",
            "b.rego": "package lib.one\ny := 1",
            "c.rego": "package lib.two.three\ny := 1",
            "d.rego": "package libre\ny := 1",
        }
    )

    assert analysis.imports["rules.a"] == {"lib.one", "lib.two.three"}


@pytest.mark.parametrize(
    "text",
    [
        "amount := x if { x := total(1) }\ntotal(amount) := amount + 1",
        "p.a := 1\np.b := p.a",
        "a := x if { [x, b] := [1, 2]; b > 1 }\nb := a",
        "a := b if { some b in [1] }\nb := a",
        "x contains y if { y := 1 }\ny := count(x)",
        "f(x) := y if { y := g(x) }\ng(y) := y if { every x in [y] { x } }\nx := f(1)\ny := f(2)",
        "count(x) := 1 if x\ny := count([])",
    ],
)
def test_a_local_name_is_no_recursion(text):
    assert analyse({"a.rego": f"package a\n{text}"}).findings == ()


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("x if regex.match(`^\\d+$`, input.a)", "portable_regex"),
        ('x if regex.match("\\\\w", input.a)', "portable_regex"),
        ('x if net.cidr_contains("10.0.0.0/8", input.a)', "portable_cidr"),
        ("x if glob.match(`a*`, [], input.a)", "portable_glob"),
        ("x if lower(input.a) == `a`", "portable_case"),
        ("x if upper(input.a) == `A`", "portable_case"),
        ("x if count(`abc`) > 1", "portable_count"),
        ("x if count(sprintf(`%v`, [1])) > 1", "portable_count"),
        ("x if sum([0.1]) > 1", "portable_float"),
        ("x if input.a * 0.1 > 1", "portable_float"),
        ("x if input.a / 3 > 1", "portable_float"),
        ("x if to_number(input.a) > 1", "portable_number"),
        ("x if null > 1", "portable_order"),
        ("x if `4500` > 100", "portable_order"),
        ("x if sprintf(`%s: %d`, [input.a, 1]) == input.b", "portable_format"),
        ("x if sprintf(`%%%5.1f`, [1]) == input.b", "portable_format"),
        ("x if { some y in input.action.arguments.list; y }", "portable_iteration"),
        ("x if { z := input.action.arguments; some y in z.list; y }", "portable_iteration"),
        ("x if { some y, _ in input.request.plan.arguments; y }", "portable_iteration"),
        ("x if semver.compare(input.a, `1.0.0`) == 1", "portable_semver"),
    ],
)
def test_leaving_the_portable_subset_is_a_warning_with_its_line(text, code):
    (finding,) = analyse({"a.rego": f"package a\n\n{text}"}).findings

    assert (finding.path, finding.line, finding.code) == ("a.rego", 3, code)
    assert finding.severity == "warning"


@pytest.mark.parametrize(
    "text",
    [
        "x if sprintf(`%s %v 100%% %%d`, [1, 2]) == input.a",
        "x if { some y in input.action.arguments; y }",
        "x if { some y in input.context; y.trusted }",
        "x if { some y in data.list; y == input.action.arguments.list }",
    ],
)
def test_what_engines_agree_on_is_no_warning(text):
    assert analyse({"a.rego": f"package a\n{text}"}).findings == ()


def test_tests_may_leave_the_portable_subset_but_not_reach_outside():
    text = "package a_test\nt if lower(`A`) == `a`\nu if http.send({})"

    (finding,) = analyse({"a_test.rego": text}).findings

    assert (finding.line, finding.code) == (3, "forbidden_builtin")


def test_a_module_that_ends_the_parser_is_named_and_the_others_are_examined():
    analysis = analyse(
        {
            "good.rego": "package good\nx if input.a",
            "hang.rego": f"package hang\nx := {'[' * 500}1{']' * 500}",
            "later.rego": "package later\nx if http.send({})",
        }
    )

    assert [(f.path, f.code) for f in analysis.errors] == [
        ("hang.rego", "syntax"),
        ("later.rego", "forbidden_builtin"),
    ]
    assert analysis.packages == {"good.rego": "good", "later.rego": "later"}


@settings(max_examples=200)
@given(
    st.lists(st.tuples(st.integers(0, 12), st.integers(0, 12)), max_size=30),
)
def test_a_cycle_is_found_if_and_only_if_there_is_one(edges):
    rules = {n: RuleFacts(("p", f"r{n}"), "value", n, [], [], []) for n in range(13)}
    for source, target in edges:
        rules[source].refs.append((("data", "p", f"r{target}"), 1))

    found = cycles(list(rules.values()))

    left = set(rules)
    while free := {n for n in left if not any(s == n and t in left for s, t in edges)}:
        left -= free
    assert bool(found) == bool(left)
    for way in found:
        steps = pairwise(way)
        assert way[0] == way[-1]
        assert all((int(a[1][1:]), int(b[1][1:])) in edges for a, b in steps)
