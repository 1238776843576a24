"""Every command explains itself, and answers scripts."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from gateway.cli import main
from tests.cli.commands import checkrein


def commands(group: click.Group, above: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """The words of every command below a group."""
    for name, command in group.commands.items():
        words = (*above, name)
        if isinstance(command, click.Group):
            yield from commands(command, words)
        else:
            yield words


def found(words: tuple[str, ...]) -> click.Command:
    command: click.Command = main
    for word in words:
        assert isinstance(command, click.Group)
        command = command.commands[word]
    return command


ALL = list(commands(main))


@pytest.mark.parametrize("words", ALL, ids=" ".join)
def test_every_command_has_one_worked_example(words: tuple[str, ...]) -> None:
    """And the example is of that command."""
    help_text = found(words).help or ""

    assert help_text.count("Example:") == 1
    assert f"checkrein {' '.join(words)}" in help_text.partition("Example:")[2]


@pytest.mark.parametrize("words", ALL, ids=" ".join)
def test_every_command_answers_with_json(words: tuple[str, ...]) -> None:
    assert "--json" in {option for each in found(words).params for option in each.opts}


def test_the_commands_are_those_that_are_promised() -> None:
    assert {" ".join(words) for words in ALL} == {
        *("up", "demo", "doctor", "verify", "replay"),
        *("tour", "rejudge", "simulate", "explain", "compare", "determinism"),
        *("re-execute",),
        *("runs list", "runs show", "policy check", "policy test", "config show"),
        *("serve", "work", "migrate", "watch"),
        *("erase run", "erase subject", "erase project", "erase scrub", "audit keys revoke"),
        *("record", "runs search", "runs artifacts", "runs agents", "runs index"),
        *(
            "intent report",
            "intent preview",
            "intent calibrate",
            "intent switch",
            "intent rollback",
        ),
        *("intent label", "intent review"),
        *("runs export", "export", "audit verify", "audit keys create"),
        *("audit keys rotate", "audit keys list", "audit checkpoint"),
        *("audit prove", "audit consistency"),
        *("keys create", "keys list", "keys rotate", "keys revoke"),
    }


def test_help_tells_the_exit_codes(tmp_path: Path) -> None:
    done = checkrein("--help", cwd=tmp_path)

    assert done.code == 0
    assert "Exit codes: 0" in done.out


def test_an_unknown_command_is_a_usage_error(tmp_path: Path) -> None:
    assert checkrein("nothing", cwd=tmp_path).code == 2


def test_settings_are_shown_with_their_origin(tmp_path: Path) -> None:
    """Flag, then environment, then file, then default."""
    (tmp_path / "checkrein.toml").write_text('port = 9000\nlog_level = "debug"\n')

    environ = {"CHECKREIN_PORT": "9100"}
    done = checkrein("config", "show", "--data", "there", "--json", cwd=tmp_path, environ=environ)

    assert done.json["data"] == {"value": "there", "from": "--data"}
    assert done.json["port"] == {"value": 9100, "from": "CHECKREIN_PORT"}
    assert done.json["log_level"] == {"value": "debug", "from": "checkrein.toml"}
    assert done.json["host"]["from"] == "default"


def test_a_misspelt_setting_is_named_with_the_nearest_one(tmp_path: Path) -> None:
    environ = {"CHECKREIN_PROT": "9100"}

    done = checkrein("config", "show", "--json", cwd=tmp_path, environ=environ)

    assert done.code == 2
    assert "CHECKREIN_PORT" in done.json["error"]


def test_a_secret_setting_is_not_shown(tmp_path: Path) -> None:
    environ = {"CHECKREIN_MASTER_KEY": "c2VjcmV0"}

    for more in ((), ("--json",)):
        done = checkrein("config", "show", *more, cwd=tmp_path, environ=environ)
        assert "CHECKREIN_MASTER_KEY" in done.out
        assert "c2VjcmV0" not in done.out + done.err
