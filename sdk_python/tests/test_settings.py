"""Settings, the command, the import, the types: what a user meets before the first check."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import checkrein
import pytest
from checkrein._fail_mode import may_run, stance
from checkrein._settings import KNOBS, OnUnavailable, Settings, load
from checkrein._trouble import Malformed, Refused, StoreAway, Unreachable

ROOT = Path(checkrein.__file__).parents[1]


def test_without_any_setting_there_is_a_local_gateway_and_a_development_environment():
    settings, problems = load({})

    assert settings == Settings()
    assert settings.url == "http://127.0.0.1:8400"
    assert settings.lenient
    assert not problems


def test_everything_can_be_set_by_the_environment():
    settings, problems = load(
        {
            "CHECKREIN_URL": "https://gate.example/",
            "CHECKREIN_API_KEY": " cr_production_k1_abc_ff \n",
            "CHECKREIN_AGENT": "support",
            "CHECKREIN_DEADLINE": "0.5",
            "CHECKREIN_ON_UNAVAILABLE": "allow_reads",
            "CHECKREIN_REDACTION": "off",
            "CHECKREIN_CAPTURE": "digest",
        }
    )

    assert not problems
    assert settings.url == "https://gate.example"
    assert settings.api_key == "cr_production_k1_abc_ff"
    assert settings.environment == "production"
    assert settings.on_unavailable == "allow_reads"
    assert (settings.deadline, settings.redaction, settings.capture) == (0.5, "off", "digest")


def test_the_deadline_is_longer_outside_of_development():
    assert load({})[0].deadline == 0.3
    assert load({"CHECKREIN_ENVIRONMENT": "production"})[0].deadline == 1.0


@pytest.mark.parametrize(
    ("variable", "value", "careful"),
    [
        ("CHECKREIN_ON_UNAVAILABLE", "alow", {"on_unavailable": "deny"}),
        ("CHECKREIN_REDACTION", "of", {"redaction": "standard"}),
        ("CHECKREIN_CAPTURE", "ful", {"capture": "digest"}),
        ("CHECKREIN_DEADLINE", "soon", {"deadline": 0.3}),
        ("CHECKREIN_DEADLINE", "nan", {"deadline": 0.3}),
        ("CHECKREIN_URL", "gate.example", {"url": "http://127.0.0.1:8400"}),
        ("CHECKREIN_API_KEY", "two\nlines", {"api_key": None}),
    ],
)
def test_a_misspelt_value_is_named_and_replaced_by_the_careful_choice(variable, value, careful):
    settings, problems = load({variable: value})

    assert len(problems) == 1
    assert variable in problems[0]
    assert {name: getattr(settings, name) for name in careful} == careful


def test_init_refuses_what_the_environment_would_forgive():
    with pytest.raises(ValueError, match="CHECKREIN_ON_UNAVAILABLE"):
        checkrein.init(on_unavailable="alow")


def test_a_production_key_denies_even_where_the_environment_was_forgotten():
    forgotten, _ = load({"CHECKREIN_API_KEY": "cr_production_k1_abc_ff"})
    wrong, _ = load(
        {"CHECKREIN_API_KEY": "cr_production_k1_abc_ff", "CHECKREIN_ENVIRONMENT": "development"}
    )

    assert not forgotten.lenient
    assert not wrong.lenient


TROUBLES = {
    "away": Unreachable("x"),
    "garbage": Malformed("x"),
    "bug": RuntimeError("x"),
    "refused": Refused("x", status=422),
    "store open": StoreAway("x", open=True),
    "store closed": StoreAway("x", open=False),
}


def test_the_whole_matrix_of_fail_modes():
    """reliability.md 5: every environment, kind of call, choice and failure, in one table."""
    choices: list[OnUnavailable | None] = [None, "allow", "deny", "allow_reads"]
    for environment, effects, choice, (name, trouble) in itertools.product(
        ["development", "staging", "production", "qa"],
        [frozenset(), frozenset({"read"}), frozenset({"payment"}), frozenset({"read", "network"})],
        choices,
        TROUBLES.items(),
    ):
        held = stance(Settings(environment=environment), effects, choice)
        runs = may_run(held, trouble)
        reads = effects == {"read"}
        lenient = environment in {"development", "staging"}
        case = (environment, set(effects), choice, name)
        outage = {None: lenient, "allow": True, "deny": False, "allow_reads": reads}[choice]
        if name == "store closed":
            assert not runs, case
        elif name == "store open":
            told_no = choice == "deny" or (choice == "allow_reads" and not reads)
            assert runs is not told_no, case
        elif name == "refused":
            assert runs is (outage and (lenient or reads)), case
        else:
            assert runs is outage, case


def test_a_guards_own_choice_wins_over_the_settings():
    settings = Settings(environment="production", on_unavailable="allow_reads")

    assert stance(settings, frozenset({"payment"}), "allow").allow
    assert not stance(settings, frozenset({"payment"}), None).allow
    assert stance(settings, frozenset({"read"}), None).allow


def test_every_setting_is_in_the_readme():
    readme = (ROOT / "README.md").read_text()

    assert [knob.variable for knob in KNOBS.values() if knob.variable not in readme] == []


def test_the_public_names_are_these():
    assert sorted(checkrein.__all__) == sorted(
        name for name in checkrein.__all__ if hasattr(checkrein, name)
    )
    assert {"guard", "run", "observe", "Blocked", "Halted", "Unavailable"} <= {*checkrein.__all__}
    assert not issubclass(checkrein.Halted, Exception)


def test_importing_needs_no_settings_no_gateway_and_no_http_client():
    """Broken settings must not break an import; what is heavy waits for the first call."""
    program = """
        import sys
        import checkrein
        loaded = {name.partition(".")[0] for name in sys.modules}
        assert not loaded & {"gateway", "httpx2", "asyncio", "litestar"}, loaded
    """
    settings = {knob.variable: "\x01 broken" for knob in KNOBS.values()}

    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)],
        env={**os.environ, **settings},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )

    assert done.returncode == 0, done.stderr


def test_the_first_guarded_call_needs_no_init(closed_port):
    """S1-22: without a gateway the call runs, with one warning that says what to do."""
    program = """
        from checkrein import guard
        @guard
        def tool(): return "ran"
        print(tool(), tool())
    """

    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)],
        env={**os.environ, "CHECKREIN_URL": f"http://127.0.0.1:{closed_port}"},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    assert done.stdout == "ran ran\n"
    assert done.stderr.count("checkrein up") == 1


def test_the_command_without_a_gateway_says_how_to_get_it(tmp_path):
    """Run with the SDK's own dependencies alone in sight, as after `pip install checkrein`."""
    program = """
        import sys
        sys.path.insert(0, sys.argv[1])
        from checkrein._command import main
        sys.exit(main())
    """
    folder = str(without_gateway(tmp_path))
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", textwrap.dedent(program), folder],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )

    assert done.returncode == 2
    assert 'pip install "checkrein[gateway]"' in done.stderr


def without_gateway(folder: Path) -> Path:
    """A folder with the SDK and what it depends on, and nothing else."""
    import msgspec
    import re2

    for module in (checkrein, msgspec, re2):
        source = Path(str(module.__file__)).parent
        (folder / source.name).symlink_to(source)
    return folder


SNIPPET = """
from collections.abc import AsyncIterator
from checkrein import guard

@guard
def bare(a: int, *, b: str = "x") -> bool:
    return True

@guard("named", side_effects=["payment"], amount=("a", "b"))
async def named(a: int, b: str) -> list[int]:
    return []

class Desk:
    @guard
    def method(self, a: int) -> str:
        return ""

    @guard("fixed")
    @staticmethod
    def fixed(a: int) -> int:
        return a

    @guard
    @classmethod
    def made(cls, a: int) -> "Desk":
        return cls()

@guard
async def items(n: int) -> AsyncIterator[int]:
    yield n

reveal_type(bare)
reveal_type(named)
reveal_type(Desk().method)
reveal_type(Desk.fixed)
reveal_type(Desk.made(1))
bare("no")
bare(1, c=2)
Desk().method("no")
guard("x", side_effects=["pay"])
"""


def test_type_checkers_see_the_function_that_was_written(tmp_path):
    """mypy on a user's file: signatures survive, wrong calls are found."""
    (tmp_path / "user.py").write_text(SNIPPET)

    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--no-error-summary", "user.py"],
        cwd=tmp_path,
        env={**os.environ, "MYPYPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )

    lines = [line.partition(": ")[2] for line in done.stdout.splitlines() if "user.py" in line]
    revealed = [line for line in lines if line.startswith("note: Revealed")]
    assert [line.partition('"')[2].rstrip('"') for line in revealed] == [
        "def (a: int, *, b: str =) -> bool",
        "def (a: int, b: str) -> typing.Coroutine[Any, Any, list[int]]",
        "def (a: int) -> str",
        "def (a: int) -> int",
        "user.Desk",
    ]
    errors = [line for line in lines if line.startswith("error")]
    assert len(errors) == 4, done.stdout
