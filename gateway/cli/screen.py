"""What a command says: answers on standard output, progress and errors on standard error.

Apart, so that one place decides how things look: JSON when asked for, rich tables on a terminal,
plain aligned text anywhere else. Whatever is given to a Screen is made safe here.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from gateway.cli.failures import Failure
from gateway.cli.text import as_json, line, shown

if TYPE_CHECKING:
    from rich.console import Console

# The words whose colour says how serious they are. A colour never stands alone.
STYLES: dict[str, str] = {
    "allow": "green",
    "warn": "yellow",
    "modify": "yellow",
    "require_approval": "magenta",
    "block": "red",
    "halt": "bold red",
    "ok": "green",
    "failed": "red",
    "revoked": "red",
    "expired": "yellow",
}
MARK_WIDTH = 5
NAME_WIDTH = 12


class Screen:
    """One command's standard output and standard error."""

    def __init__(self, *, json: bool) -> None:
        self.json = json
        for stream in (sys.stdout, sys.stderr):
            # A terminal that cannot show a character gets its escape, and the command goes on.
            stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]

    def answer(self, value: Any) -> None:
        """One JSON document, on one line."""
        sys.stdout.write(as_json(value) + "\n")
        sys.stdout.flush()

    def say(self, text: str = "", style: str | None = None) -> None:
        """A line, or several, of our own or of a user's text."""
        _print(_console(), shown(text, 100_000), style)

    def progress(self, text: str) -> None:
        """What is going on, for whoever waits."""
        _print(_console(stderr=True), shown(text), "dim")

    @contextmanager
    def working(self, text: str) -> Iterator[None]:
        """What is going on, as long as it does; it leaves no trace on a terminal."""
        console = _console(stderr=True)
        if not console.is_terminal:
            self.progress(text)
            yield
            return
        with console.status(line(text)):
            yield

    def table(self, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """A table: drawn on a terminal, otherwise columns that two spaces divide."""
        safe = [[line(cell) for cell in row] for row in rows]
        console = _console()
        if console.is_terminal:
            console.print(_drawn(columns, safe))
        else:
            sys.stdout.write(_aligned([list(columns), *safe]))

    def fields(self, pairs: Mapping[str, str]) -> None:
        """Names and values below each other; a value of several lines keeps to its column."""
        width = max((len(name) for name in pairs), default=0)
        for name, value in pairs.items():
            _place(name, [value], indent=0, width=width, style=STYLES.get(value, ""))

    def title(self, mark: str, text: str, aside: str, style: str) -> None:
        """A heading of one line: a number or a word, what it is, and when."""
        said = f"{line(mark):<{MARK_WIDTH}}{line(aside)}{'  ' if aside else ''}{line(text)}"
        style = f"bold {STYLES.get(style, '')}".strip()
        console = _console()
        if console.is_terminal:
            console.print(said, style=style, no_wrap=True, overflow="ellipsis", crop=True)
        else:
            sys.stdout.write(said + "\n")

    def section(self, name: str, lines: Sequence[str], style: str = "") -> None:
        """Lines beside their name. None of them, however long, reaches the column of the names."""
        _place(name, lines, indent=MARK_WIDTH, width=NAME_WIDTH, style=STYLES.get(style, ""))

    def refuse(self, failure: Failure) -> int:
        """Why the command ends, and what to do next; the exit code."""
        if self.json:
            self.answer({"error": failure.message, "next": failure.next_step})
        console = _console(stderr=True)
        _print(console, shown(failure.message, 20_000), "red")
        _print(console, f"  Next: {shown(failure.next_step)}", None)
        return failure.code


def _console(*, stderr: bool = False) -> Console:
    from rich.console import Console

    # Data is never markup, and an emoji's name in it stays a name.
    return Console(stderr=stderr, markup=False, highlight=False, emoji=False)


def _print(console: Console, text: str, style: str | None) -> None:
    console.print(text, style=style, soft_wrap=True)


def _place(name: str, lines: Sequence[str], *, indent: int, width: int, style: str) -> None:
    """A name and lines beside it. On a terminal what is too long goes on below itself."""
    console = _console()
    safe = [part for text in lines for part in shown(text).split("\n")] or [""]
    if console.is_terminal:
        console.print(_beside(line(name), safe, indent, width, style))
        return
    for place, text in enumerate(safe):
        label = line(name) if place == 0 else ""
        sys.stdout.write(f"{'':<{indent}}{label:<{width}}  {text}".rstrip() + "\n")


def _beside(name: str, lines: Sequence[str], indent: int, width: int, style: str) -> Any:
    from rich.padding import Padding
    from rich.table import Table
    from rich.text import Text

    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(width=width, no_wrap=True, style="dim")
    grid.add_column(overflow="fold")
    grid.add_row(Text(name), Text("\n".join(lines), style=style))
    return Padding(grid, (0, 0, 0, indent), expand=False)


def _drawn(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> Any:
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold underline")
    for place, column in enumerate(columns):
        # What comes first names the row, and is there to be copied.
        table.add_column(column, overflow="fold", no_wrap=place == 0)
    for row in rows:
        table.add_row(*(Text(cell, style=STYLES.get(cell, "")) for cell in row))
    return table


def _aligned(rows: Sequence[Sequence[str]]) -> str:
    widths = [max(len(row[place]) for row in rows) for place in range(len(rows[0]))]
    return "".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        + "\n"
        for row in rows
    )
