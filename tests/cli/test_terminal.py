"""S6: what an agent wrote goes through a real run and reaches no terminal as a control."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import select
import struct
import termios
import unicodedata
from collections.abc import Callable

import pytest

from tests.cli.commands import CHECKREIN, Done, Up

ATTACKS = (
    "\x1b[2J\x1b[H owned",
    "\x1b]0;title\x07",
    "\x1b]52;c;ZWNobyBvd25lZA==\x07",
    "\x1b]8;;https://evil.example\x07click\x1b]8;;\x07",
    "\x9b31mred",
    "\x90payload\x9c",
    "over\rwritten",
    "back\x08\x08space",
    "bell\x07",
    "\x7fdelete",
    "\u202egnp.exe",
    "\u2066isolated\u2069",
    "zero\u200bwidth\u2060joined\ufeff",
    "tag\U000e0041\U000e0042",
    "line\u2028paragraph\u2029",
    "null\x00byte",
    "[red]markup[/red] :boom: [link=https://evil.example]x[/link]",
    "a row\n2    decision: faked: allow\n     decision    verdict allow",
    "tab\tulator",
)
NUMBERED = {str(place): attack for place, attack in enumerate(ATTACKS)}
HOSTILE = " | ".join(ATTACKS)
Asked = Callable[..., Done]
UNSEEN = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}


@pytest.fixture(scope="module")
def run(gateway: Up) -> str:
    """A run with the attacks in every field that takes them; its id."""
    key = gateway.ready["api_key"]
    body = {
        "run": {"id": "hostile", "name": HOSTILE, "agent_id": "a", "user_id": "u"},
        "action": {
            "tool": "crm.write_note",
            "arguments": {**NUMBERED, HOSTILE: {HOSTILE: [HOSTILE]}},
            "description": HOSTILE,
        },
        "request": {
            "user": HOSTILE,
            "plan": {"text": HOSTILE, "arguments": {"0": HOSTILE, HOSTILE: 1}},
            "reasoning": HOSTILE,
        },
        "context": [{"source": HOSTILE, "trusted": False, "text": HOSTILE}],
        "events": [
            {"type": "message", "role": "user", "text": HOSTILE},
            {"type": "artifact", "name": "x", "uri": HOSTILE, "content": HOSTILE},
            {"type": "feedback", "label": "x", "comment": HOSTILE},
        ],
    }
    reply = gateway.check(json.loads(json.dumps(body)), key=key)
    if reply.status_code == 400:
        # Names are refused already where they come in.
        body["run"] = {"id": "hostile"}
        reply = gateway.check(json.loads(json.dumps(body)), key=key)
    assert reply.status_code == 200, reply.text
    return str(reply.json()["run_id"])


def controls(text: str, allowed: str) -> set[str]:
    return {char for char in text if unicodedata.category(char) in UNSEEN} - set(allowed)


def test_no_control_reaches_a_pipe(asked: Asked, gateway: Up, run: str) -> None:
    """S6: nothing but the ends of our own lines."""
    for command in (("replay", run), ("runs", "show", run), ("runs", "list")):
        for more in ((), ("--json",), ("--data", str(gateway.data))):
            done = asked(*command, *more)
            assert done.code == 0, done.err
            assert controls(done.out + done.err, allowed="\n\t") == set()


def test_what_was_hidden_is_named(asked: Asked, run: str) -> None:
    shown = asked("replay", run).out

    for name in ("⟨U+001B⟩", "⟨U+009B⟩", "⟨U+202E⟩", "⟨U+200B⟩", "⟨U+E0041⟩", "⟨U+000D⟩"):
        assert name in shown
    assert "[red]markup[/red] :boom:" in shown


def test_no_value_begins_a_line_of_its_own(asked: Asked, run: str) -> None:
    """A faked frame would stand where real ones do: at the first column."""
    shown = asked("replay", run).out

    headings = [line for line in shown.splitlines() if line[:1].strip()]
    assert "2    decision: faked: allow" not in headings
    assert all(line.startswith(("run", *"123456789")) for line in headings)


def test_a_terminal_gets_no_sequence_but_colours(gateway: Up, run: str) -> None:
    """S6: drawn for a narrow terminal, where long values wrap."""
    import re2

    shown = on_terminal("replay", run, columns=60, environ=gateway.environ)
    plain = re2.sub(r"\x1b\[[0-9;]*m", "", shown.replace("\r\n", "\n"))

    assert "⟨U+001B⟩" in plain
    assert controls(plain, allowed="\n") == set()
    headings = [line for line in plain.splitlines() if line[:1].strip()]
    assert all(line.startswith(("run", *"123456789")) for line in headings), headings


def test_without_colour_there_is_none(gateway: Up, run: str) -> None:
    environ = gateway.environ | {"NO_COLOR": "1"}

    shown = on_terminal("runs", "list", columns=120, environ=environ)

    assert not any(f"\x1b[{colour}m" in shown for colour in (31, 32, 33, 35))


def test_errors_are_made_safe_too(asked: Asked) -> None:
    """What a user pastes may come from an agent."""
    done = asked("runs", "show", "\x1b]0;title\x07 \u202e")

    assert done.code == 4
    assert controls(done.out + done.err, allowed="\n") == set()


def test_a_run_is_stepped_through_with_keys(gateway: Up) -> None:
    """S1-6: forward, back, and out, one frame at a time."""
    shown = on_terminal(
        "replay", "seen", "--step", columns=100, environ=gateway.environ, keys=b"jkjj"
    )

    assert shown.count("run started") == 2
    assert shown.count("payments.plan_mismatch: block, enforced allow") == 2
    assert "That was the last frame." in shown


def test_a_failed_run_opens_on_the_step_that_broke(gateway: Up) -> None:
    """S0-10: one is there at once, and can go back from there."""
    import httpx2

    action = {"tool": "crm.read_x", "arguments": {}}
    for _ in range(3):
        decided = gateway.check({"run": {"id": "broke"}, "action": action}).json()
    key = {"authorization": f"Bearer {gateway.ready['api_key']}"}
    url = gateway.ready["url"]
    for path, told in (
        (f"decisions/{decided['decision_id']}/result", {"status": "failed"}),
        ("runs/broke/end", {"status": "failed"}),
    ):
        httpx2.post(f"{url}/v1/{path}", json=told, headers=key, trust_env=False).raise_for_status()

    shown = on_terminal(
        "replay", "broke", "--step", columns=100, environ=gateway.environ, keys=b"kq"
    )

    assert "This is where it broke. There are 3 frames before it." in shown
    assert shown.count("decision: allow: crm.read_x") == 2


def on_terminal(*arguments: str, columns: int, environ: dict[str, str], keys: bytes = b"") -> str:
    """Everything that a command sends to a terminal of that width.

    A key is pressed whenever it waits for one, once more when the terminal was not ready for it.
    """
    kept = {name: value for name, value in os.environ.items() if name != "NO_COLOR"}
    child, terminal = pty.fork()
    if child == 0:
        os.execvpe(CHECKREIN[0], [*CHECKREIN, *arguments], kept | {"TERM": "xterm"} | environ)
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
    sent = b""
    while True:
        waits = not select.select([terminal], [], [], 0.5)[0]
        asked = sent.count(b"q quit")
        if waits and asked:
            os.write(terminal, keys[asked - 1 : asked])
        if waits:
            continue
        try:
            part = os.read(terminal, 65_536)
        except OSError:
            break
        if not part:
            break
        sent += part
    os.close(terminal)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0, sent.decode("utf-8", "replace")
    return sent.decode("utf-8", "replace")
