"""What the author of a rule is told of its failure: where and what, in one line, and no more."""

from __future__ import annotations

import msgspec
import pytest

from gateway.domain.rule_results import Round, RuleResult
from gateway.engines.complaints import ERROR_CHARS, readable
from gateway.engines.embedded.engine import EmbeddedEngine
from tests.engine.rego import SAYS_BLOCK, frame, ruleset

HOSTILE = "10.0.0.1\x1b[31m\u202e\nerror: fake\n--> rules/b.rego:9:9\n\x07" + "x" * 5000


async def _error(
    engine: EmbeddedEngine, condition: str, arguments: dict[str, object] | None = None
) -> str:
    body = f'verdict contains {{"effect": "block", "reason": "x"}} if {{\n\t{condition}\n}}'
    rules = ruleset({"a": body, "b": SAYS_BLOCK})

    failed, other = await engine.evaluate(rules, ("a", "b"), frame(arguments))

    assert (failed.failure, other.error) == ("error", None)
    assert isinstance(failed.error, str)
    return failed.error


@pytest.mark.parametrize(
    ("condition", "said"),
    [
        ('to_number("zz") > 1', "rules/a.rego:3: could not parse string as number"),
        ("1 / count([]) > 0", "rules/a.rego:3: divide by zero"),
        ('regex.match("(", "a")', "rules/a.rego:3: invalid regex"),
    ],
)
async def test_an_error_says_the_file_the_line_and_what_was_wrong(engine, condition, said):
    assert await _error(engine, condition) == said


async def test_an_error_that_quotes_an_agent_is_one_short_line_without_control_characters(engine):
    condition = 'net.cidr_contains(input.action.arguments.ip, "10.0.0.1")'

    error = await _error(engine, condition, {"ip": HOSTILE})

    assert error.startswith("rules/a.rego:3: ")
    assert len(error) <= ERROR_CHARS
    assert error.isprintable()


async def test_a_verdict_that_is_none_says_what_is_wrong_with_it(engine):
    body = 'verdict contains {"effect": "block", "reason": "x", "reasn": 1}'

    (result,) = await engine.evaluate(ruleset({"a": body}), ("a",), frame())

    assert result.failure == "malformed"
    assert result.error is not None
    assert "reasn" in result.error


async def test_a_policy_that_does_not_compile_says_so(engine):
    rules = ruleset({"a": "verdict contains {"})

    (result,) = await engine.evaluate(rules, ("a",), frame())

    assert result.error is not None
    assert result.error.startswith("the policy does not compile: rules/a.rego:")


@pytest.mark.parametrize(
    ("complaint", "said"),
    [
        ("", None),
        (" \n\x00 ", None),
        ("no place", "no place"),
        ("what\n\nStack backtrace:\n   0: at /home/somebody", "what"),
        ("\n--> checkrein/entry.rego:9:1\n  |\n9 | x\n  | ^\nerror: what", "what"),
        (
            "\n--> a.rego:9:1\n  |\n9 | x\n  | ^\nerror: w\n\nCaused by:\n  v",
            "a.rego:9: w Caused by: v",
        ),
    ],
)
def test_any_complaint_becomes_one_line_or_none(complaint, said):
    assert readable(complaint) == said


def test_results_that_were_recorded_without_an_error_are_read_as_before():
    """design 4: stored structs evolve by adding fields with defaults."""
    stored = b'[{"results":[{"rule":"a","failure":"error"}]}]'

    (round_,) = msgspec.json.decode(stored, type=list[Round])

    assert round_.results == (RuleResult("a", failure="error"),)
    assert msgspec.json.encode([round_]) == stored
