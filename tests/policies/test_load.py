"""Loading a policy: what it becomes, and every way in which it is refused, with file and line."""

from __future__ import annotations

import pytest

from gateway.domain.ruleset import CounterReads, LabelReads, Ruleset
from gateway.errors import PolicyInvalid
from gateway.policies import load, source
from tests.policies.folders import MANIFEST, rule, saying

LIMITS = "data: {limits: {calls: 7, share: 0.5}}\n"


def loaded(text: str, manifest: str = MANIFEST, **others: str) -> Ruleset:
    return load.load({"policy.yaml": manifest, "rules/a.rego": text, **others})


def findings(text: str, manifest: str = MANIFEST, **others: str) -> list[str]:
    with pytest.raises(PolicyInvalid) as refused:
        loaded(text, manifest, **others)
    return refused.value.findings


def reading(path: str, more: str = "") -> str:
    """A rule whose eighth line, when `more` is one line, reads a path of the frame."""
    body = f'verdict contains {{"effect": "block", "reason": "no"}} if {{\n\t{path} == 1\n}}'
    return rule(body=body, more=more)


REFUSALS = {
    "an argument that is misspelt": (
        reading("input.action.argument.amount"),
        "rules/a.rego:8: `input.action.argument` is never given (did you mean `arguments`?)",
    ),
    "a part of the frame that does not exist": (
        reading("input.clock.now"),
        "rules/a.rego:8: `input.clock` is never given",
    ),
    "something below a text": (
        reading("input.action.tool.name"),
        "rules/a.rego:8: `input.action.tool` has nothing below it",
    ),
    "a name within a list": (
        reading("input.context.first.text"),
        "rules/a.rego:8: `input.context` is a list: `first` is not one of its places",
    ),
    "a field that items of a list do not have": (
        reading("input.state.budgets[_].limit"),
        "rules/a.rego:8: `input.state.budgets.*.limit` is never given",
    ),
    "an argument that METADATA does not name": (
        reading("input.action.arguments.amount"),
        (
            "rules/a.rego:8: reads input.action.arguments.amount:"
            " name /action/arguments/amount in `requires` or `optional`"
        ),
    ),
    "another argument than the one METADATA names": (
        reading("input.action.arguments.amount", "optional: [/action/arguments/total]"),
        (
            "rules/a.rego:9: reads input.action.arguments.amount:"
            " name /action/arguments/amount in `requires` or `optional`"
        ),
    ),
    "all arguments, when METADATA names one": (
        reading("input.action.arguments", "optional: [/action/arguments/total]"),
        (
            "rules/a.rego:9: reads input.action.arguments:"
            " name /action/arguments/* in `requires` or `optional`"
        ),
    ),
    "the whole input, which holds the arguments": (
        reading("input"),
        "rules/a.rego:8: reads input: name /action/arguments/* in `requires` or `optional`",
    ),
    "a required path that does not exist": (
        rule(more="requires: {/action/amont/value: number}"),
        (
            "rules/a.rego:6: METADATA names /action/amont/value:"
            " `input.action.amont` is never given (did you mean `amount`?)"
        ),
    ),
    "no verdict": (
        rule(body="veredict contains 1"),
        "rules/a.rego:6: the rule `a.b` never adds to `verdict`",
    ),
    "a verdict that is one value": (
        rule(body='verdict := {"effect": "block", "reason": "no"}'),
        "rules/a.rego:6: the rule `a.b` never adds to `verdict`",
    ),
    "a verdict that is a function": (
        rule(body="verdict(x) := x"),
        "rules/a.rego:6: the rule `a.b` never adds to `verdict`",
    ),
    "no title": (rule(title=""), "rules/a.rego:2: METADATA title: expected `str`, got `null`"),
    "an id with capitals": (
        rule().replace("id: a.b", "id: A.b"),
        "rules/a.rego:4: METADATA custom.id: expected `str` matching regex",
    ),
    "an id of the gateway's own": (
        rule().replace("id: a.b", "id: checkrein.b"),
        "rules/a.rego:4: METADATA custom.id: ids that begin with `checkrein.`",
    ),
    "no id": (
        rule().replace("#   id: a.b\n", ""),
        "rules/a.rego:3: METADATA custom: `id` is missing",
    ),
    "no tools": (rule(tools="[]"), "rules/a.rego:5: METADATA custom.tools: expected `array` of"),
    "a glob with white space": (
        rule(tools="[x.*, 'y z']"),
        "rules/a.rego:5: METADATA custom.tools.1: the tool glob",
    ),
    "a misspelt field": (
        rule(more="serverity: high"),
        (
            "rules/a.rego:6: METADATA custom.serverity: `serverity` is not a field here"
            " (did you mean `severity`?)"
        ),
    ),
    "a misspelt word": (
        rule(more="severity: hihg"),
        (
            "rules/a.rego:6: METADATA custom.severity: `hihg` is not one of"
            " low, medium, high, critical (did you mean `high`?)"
        ),
    ),
    "a misspelt side effect": (
        rule(more="side_effects: [pay]"),
        "rules/a.rego:6: METADATA custom.side_effects.0: `pay` is not one of",
    ),
    "a stage that is none": (
        rule(more="stage: {production: blck}"),
        "rules/a.rego:6: METADATA custom.stage",
    ),
    "a type that is none": (
        rule(more="requires: {/action/arguments/a: integer}"),
        "rules/a.rego:6: METADATA custom.requires./action/arguments/a: `integer` is not one of",
    ),
    "a pointer without a slash": (
        rule(more="requires: {action.tool: string}"),
        "rules/a.rego:6: METADATA custom.requires: 'action.tool' is not a JSON Pointer",
    ),
    "a required place that is many": (
        rule(more="requires: {/action/arguments/*: string}"),
        "rules/a.rego:6: METADATA custom.requires./action/arguments/*: a required pointer names",
    ),
    "an optional place outside of the arguments": (
        rule(more="optional: [/request/user]"),
        "rules/a.rego:6: METADATA custom.optional.0: only arguments can be optional",
    ),
    "a counter that nobody counts": (
        rule(more="reads: [{counter: call, at_most: 1}]"),
        (
            "rules/a.rego:6: METADATA custom.reads.0: no counter is called `call`"
            " (did you mean `calls`?)"
        ),
    ),
    "a predicate without a limit": (
        rule(more="reads: [{counter: calls}]"),
        "rules/a.rego:6: METADATA custom.reads.0: an entry is",
    ),
    "a predicate of two kinds": (
        rule(more="reads: [{label_absent: a, counter: calls}]"),
        "rules/a.rego:6: METADATA custom.reads.0: `label_absent` stands alone",
    ),
    "a limit that is not in the data": (
        rule(more="reads: [{counter: calls, at_most: {data: limits.nope}}]"),
        "rules/a.rego:1: METADATA: policy.yaml has no whole number at data.limits.nope",
    ),
    "a limit that is no whole number": (
        rule(more="reads: [{counter: calls, at_most: {data: limits.share}}]"),
        "rules/a.rego:1: METADATA: policy.yaml has no whole number at data.limits.share",
    ),
    "METADATA that is no YAML": (
        rule().replace("# title: A rule", "# title: [A rule"),
        "rules/a.rego:3: METADATA is not YAML",
    ),
    "METADATA with a key twice": (
        rule(more="id: a.c"),
        "rules/a.rego:6: METADATA is `id` is given twice",
    ),
    "METADATA below the package": (
        "package a.b\n" + rule().replace("package a.b\n", ""),
        "rules/a.rego:4: METADATA with `custom` stands above `package`",
    ),
    "text that is no Rego": (
        rule(body="verdict contains {"),
        "rules/a.rego:8: expecting expression",
    ),
    "a built-in that reaches outside": (
        rule(body='verdict contains x if x := http.send({"url": "http://localhost"})'),
        "rules/a.rego:7: ",
    ),
    "a function that calls itself": (
        rule(body="verdict contains x if x := f(1)\nf(x) := f(x)"),
        "rules/a.rego:8: ",
    ),
}


@pytest.mark.parametrize("name", REFUSALS)
def test_a_rule_is_refused_at_its_line(name):
    text, expected = REFUSALS[name]

    found = findings(text, MANIFEST + LIMITS)

    assert any(line.startswith(expected) for line in found), "\n".join(found)


def test_everything_wrong_is_said_at_once():
    """An author mends a folder in one go, not one finding at a time."""
    found = load.examine(
        {
            "policy.yaml": "environments: {production: {mode: blok}}",
            "rules/a.rego": reading("input.actoin.tool"),
            "rules/b.rego": rule("b.c", body="x := 1"),
            "rules/c.rego": "package c\nx := ",
        }
    ).errors

    assert [line.partition(":")[0] for line in found] == [
        "policy.yaml",
        "rules/c.rego",
        "rules/a.rego",
        "rules/b.rego",
    ]


def test_an_id_belongs_to_one_rule():
    found = findings(rule("a.b"), **{"rules/b.rego": rule("a.b").replace("package a", "package b")})

    assert found == ["rules/b.rego:1: the id `a.b` is taken by rules/a.rego"]


def test_a_package_belongs_to_one_rule():
    found = findings(rule("a.b"), **{"rules/b.rego": rule("a.b").replace("id: a.b", "id: c.d")})

    assert found == ["rules/b.rego:1: rules/a.rego is in the package `a.b` too"]


def test_data_and_packages_do_not_share_a_name():
    """Else `data.a` would mean one thing in one engine and another in the next."""
    found = findings(rule("a.b"), MANIFEST + "data:\n  a: {c: 1}\n")

    assert found == [
        (
            "policy.yaml:4: data.a: `data.a` is also the package of rules/a.rego:"
            " give the data another name"
        )
    ]


def test_a_stage_is_given_to_a_rule_that_exists():
    manifest = "environments:\n  production:\n    mode: block\n    stages:\n      a.c: log\n"

    assert findings(rule("a.b"), manifest) == [
        (
            "policy.yaml:5: environments.production.stages.a.c: there is no rule `a.c`"
            " (did you mean `a.b`?)"
        )
    ]


def test_stages_of_an_environment_go_before_those_of_the_rule():
    manifest = "environments:\n  production: {mode: block, stages: {a.b: warn}}\n"
    text = rule("a.b", more='stage: {production: block, staging: block, "*": log}')

    found = loaded(text, manifest).rule("a.b")

    assert [found.stage_in(name) for name in ("production", "staging", "elsewhere")] == [
        "warn",
        "block",
        "log",
    ]


def test_a_rule_without_a_stage_is_enforced():
    assert loaded(rule("a.b")).rule("a.b").stage_in("production") == "block"


def test_limits_of_predicates_come_from_the_data():
    more = (
        "reads:\n  - {counter: calls, at_most: {data: limits.calls}}\n"
        "  - {counter: 'spend:USD', plus: 0, at_most: 3}\n  - {label_absent: secret_read}"
    )

    found = loaded(rule(more=more), MANIFEST + LIMITS).rule("a.b")

    assert found.reads == (
        CounterReads("calls", 1, 7),
        CounterReads("spend:USD", 0, 3),
        LabelReads("secret_read"),
    )


@pytest.mark.parametrize(
    ("path", "needs"),
    [
        ("input.action.tool", set()),
        ("input.state.calls", {"state"}),
        ("input.state.recent[0].tool", {"state", "recent"}),
        ("input.state.budgets[_].used", {"state", "budgets"}),
        ("input.state", {"state", "recent", "budgets"}),
        ("input.state[x]", {"state", "recent", "budgets"}),
        ("input.context[_].text", {"context"}),
        ("input.history[_].tool", {"history"}),
        ("data.lib.newest", {"state", "recent"}),
    ],
)
def test_what_a_rule_reads_is_what_is_gathered_for_it(path, needs):
    """Also through a library, so that nothing a rule looks at is left out of its frame."""
    library = {"packs/lib.rego": "package lib\n\nnewest := input.state.recent[0]\n"}

    assert loaded(reading(path), **library).rule("a.b").needs == needs


def test_what_a_library_reads_must_be_declared_by_the_rule_that_imports_it():
    library = {"packs/lib.rego": "package lib\n\namount := input.action.arguments.amount\n"}

    assert findings(reading("data.lib.amount"), **library) == [
        (
            "rules/a.rego:6: reads input.action.arguments.amount:"
            " name /action/arguments/amount in `requires` or `optional`"
        )
    ]
    declaring = loaded(
        reading("data.lib.amount", "optional: [/action/arguments/amount]"), **library
    )
    assert [each.id for each in declaring.rules] == ["a.b"]


@pytest.mark.parametrize(
    ("path", "more"),
    [
        ("input.action.arguments.amount", "requires: {/action/arguments/amount: number}"),
        ("input.action.arguments.a.b", "optional: [/action/arguments/a]"),
        ("input.action.arguments[key]", "optional: [/action/arguments/*]"),
        ("input.action.arguments", "optional: [/action/arguments/*]"),
        ('input.action.arguments["a/b"]', "optional: [/action/arguments/a~1b]"),
        ("input.external_state.anything.at.all", ""),
        ("input.request.plan.arguments.amount", ""),
        ("input.model.parameters.temperature", ""),
        ("input.action.schema.properties", ""),
    ],
)
def test_declared_and_free_parts_may_be_read(path, more):
    assert loaded(reading(path, more)).rules


def test_tests_and_libraries_are_no_rules():
    found = loaded(
        rule(),
        **{
            "rules/a_test.rego": "package a_test\n\ntest_x if input.nowhere.at.all == 1\n",
            "packs/lib.rego": "# METADATA\n# title: Helping\npackage lib\n\nx := 1\n",
        },
    )

    assert [each.id for each in found.rules] == ["a.b"]
    assert sorted(found.modules) == ["packs/lib.rego", "rules/a.rego"]


def test_a_test_that_is_no_rego_is_refused():
    assert findings(rule(), **{"rules/a_test.rego": "package a_test\n\ntest_x if {"})[0].startswith(
        "rules/a_test.rego:3: "
    )


def test_a_ruleset_is_the_same_value_whenever_it_is_loaded():
    """Decisions name it by its digest; versions are loaded again years later."""
    files = saying("block")

    first, again = load.load(files, "abc"), load.load(dict(reversed(files.items())), "abc")

    assert first == again
    assert first.digest == source.digest(files)
    assert first.commit == "abc"


def test_files_from_a_store_load_like_a_folder():
    """No file system is touched: an old version is loaded from what was kept of it."""
    files = saying("halt")

    assert load.load(files).rule("a.b").path == "rules/a.rego"
