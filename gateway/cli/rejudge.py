"""`checkrein rejudge`: recorded decisions put to the rules again. Nothing is run or recorded."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import rich_click as click
from msgspec import Struct

from gateway.cli import client, folder
from gateway.cli.answering import answering, data_option
from gateway.cli.failures import ABSENT, FOUND, USAGE, Failure
from gateway.cli.record import Record, mention, record
from gateway.cli.screen import Screen
from gateway.cli.settings import chosen
from gateway.domain.instants import as_recorded

if TYPE_CHECKING:
    from gateway.config import Settings
    from gateway.domain.ruleset import Ruleset
    from gateway.replay.record.manifest import Captured
    from gateway.replay.rejudging import Rejudging

PAGE = 100
SHOWN = 50
ALIKE = ("exact", "redacted-equivalent", "same")
NOT_LOOKED_AT = "What was captured of their runs was not looked at: --capture tells."
Document = dict[str, Any]


class Asked(Struct, frozen=True):
    """Which decisions, and under which policy. Times are as the record writes them.

    `capture`: the runs are read whole, too, for what was captured of them.
    """

    run: str | None
    limit: int
    policy: str | None
    environment: str | None
    since: str | None
    until: str | None
    capture: bool


@click.command()
@click.argument("run", metavar="[RUN]", required=False)
@click.option("--since", metavar="TIME", help="Decisions recorded from then on, in RFC 3339.")
@click.option("--until", metavar="TIME", help="Decisions recorded before then.")
@click.option("--environment", help="Whose decisions, without RUN. Default: the settings' own.")
@click.option(
    "--policy",
    metavar="DIGEST|active|DIR",
    help="Judge under another policy than each decision's own.",
)
@click.option(
    "--limit",
    type=click.IntRange(1, 10_000_000),
    default=10_000,
    show_default=True,
    help="How many decisions at most, without RUN the newest.",
)
@click.option(
    "--capture", is_flag=True, help="Read the runs, too, to say what was captured. RUN always is."
)
@data_option
@answering
def rejudge(
    screen: Screen,
    run: str | None,
    since: str | None,
    until: str | None,
    environment: str | None,
    policy: str | None,
    limit: int,
    capture: bool,
    data: str | None,
) -> int:
    """Judge recorded decisions again: of one run, or of an environment's recent time.

    Under its own policy a decision must come out the same to the byte. Under another policy you
    see which would change. Exits with 1 when one diverges under its own policy. The last line
    says what no such verdict can speak of, since nobody observed it.

    Example: checkrein rejudge --since 2026-11-01T00:00:00Z --policy active
    """
    first, last = _instant("--since", since), _instant("--until", until)
    asked = Asked(run, limit, policy, environment, first, last, capture or run is not None)
    if run and (since or until or environment):
        text = "A run is judged whole: it takes no time and no environment."
        raise Failure(text, f"checkrein rejudge {run}", USAGE)
    import msgspec

    from gateway.replay.record.manifest import of_standings

    over_http = data is None and bool(os.environ.get("CHECKREIN_API_KEY"))
    screen.progress("Judging again what is recorded")
    if over_http:
        judged = list(_over_http(asked))
        seen = _captured_over_http(judged) if asked.capture else None
    else:
        mention(screen, record(data))
        judged, seen = _in_stores(chosen(data), asked)
    counts = Counter(each["standing"] for each in judged)
    cut = len(judged) >= asked.limit
    told = seen.beside(of_standings(counts, cut)) if seen and judged else None
    if screen.json:
        found = {"decisions": len(judged), "counts": dict(counts), "judged": judged}
        screen.answer({**found, "capture": msgspec.to_builtins(told)})
    else:
        _tell(screen, judged, counts)
        if judged:
            screen.say(told.says if told else NOT_LOOKED_AT)
    return FOUND if counts["diverges"] else 0


def _over_http(asked: Asked) -> Iterator[Document]:
    gateway = client.from_environment()
    if asked.policy and asked.policy != "active" and Path(asked.policy).is_dir():
        text = "A gateway judges under versions it knows; a folder is tried on stores."
        raise Failure(text, "checkrein rejudge --data .checkrein --policy DIR", USAGE)
    path = f"/v1/runs/{client.segment(asked.run)}/re-judge" if asked.run else "/v1/re-judge"
    # What was captured is asked of the runs' records, once each, however many pages there are.
    body: Document = {"policy": asked.policy}
    if asked.run:
        body["capture"] = False
    else:
        body |= {"environment": asked.environment, "since": asked.since, "until": asked.until}
    left = asked.limit
    while left > 0:
        page = gateway.post(path, {**body, "limit": min(left, PAGE)}, reads=True)
        yield from page["judged"]
        left -= len(page["judged"])
        if not page["has_more"]:
            return
        if asked.run:
            body["after"] = page["next_after"]
        else:
            body["cursor"] = page["next_cursor"]


def _captured_over_http(judged: list[Document]) -> Captured:
    import msgspec

    from gateway.replay.record.capture import Boundary
    from gateway.replay.record.manifest import Captured

    source = record(None)
    found = [source.record(run_id) for run_id in dict.fromkeys(each["run_id"] for each in judged)]
    runs = [msgspec.convert(each["capture"], list[Boundary]) for each in found]
    return Captured(runs, complete=all(each["complete"] for each in found))


def _in_stores(settings: Settings, asked: Asked) -> tuple[list[Document], Captured | None]:
    import asyncio

    import msgspec

    run_id = _source(settings).run(asked.run)["run_id"] if asked.run else None
    tried = _tried(asked.policy, settings)

    async def judged() -> tuple[list[Document], Captured | None]:
        from gateway.replay.record.manifest import captured
        from gateway.serving.collecting import collect_seldom
        from gateway.wiring import open_rejudging

        collect_seldom()
        async with folder.record(settings) as stores, open_rejudging(settings, stores) as judging:
            project_id = await stores.control.project(folder.PROJECT)
            under = tried or await _kept(judging, asked.policy)
            if run_id is not None:
                pages = _of_run(judging, project_id, run_id, under)
            else:
                environment = asked.environment or settings.environment
                pages = _of_range(judging, project_id, environment, asked, under)
            found: list[Document] = []
            async for page in pages:
                found += msgspec.to_builtins(page)
                if len(found) >= asked.limit:
                    break
            found = found[: asked.limit]
            if not asked.capture:
                return found, None
            of_runs = [each["run_id"] for each in found]
            secret = stores.keyring.run_secret
            return found, await captured(stores.ledger, secret, project_id, of_runs)

    return asyncio.run(judged())


async def _of_run(
    judging: Rejudging, project_id: str, run_id: str, under: Ruleset | None
) -> AsyncIterator[list[Any]]:
    from gateway.replay.openings import Openings

    openings = Openings()
    after: int | None = 0
    while after is not None:
        page = await judging.of_run(project_id, run_id, after, PAGE, under, openings)
        after = page.after
        yield page.judged


async def _of_range(
    judging: Rejudging, project_id: str, environment: str, asked: Asked, under: Ruleset | None
) -> AsyncIterator[list[Any]]:
    from gateway.replay.openings import Openings

    openings = Openings()
    cursor = None
    more = True
    while more:
        page = await judging.of_range(
            project_id, environment, asked.since, asked.until, cursor, PAGE, under, openings
        )
        cursor, more = page.cursor, page.cursor is not None
        yield page.judged


def _source(settings: Settings) -> Record:
    return record(None if settings.on_servers else str(settings.data))


def _tried(policy: str | None, settings: Settings) -> Ruleset | None:
    """The policy of a folder, None where the word names none."""
    from gateway.errors import PolicyInvalid
    from gateway.policies import load, source
    from gateway.wiring import backend

    active = backend(settings).policy_folder(settings) if policy == "active" else None
    path = active or Path(policy or "")
    if policy is None or not path.is_dir():
        return None
    try:
        read = source.read(path)
        return load.load(read.files, read.commit)
    except PolicyInvalid as error:
        raise Failure(f"{path}: {error}", "checkrein policy check", FOUND) from error


async def _kept(judging: Rejudging, policy: str | None) -> Ruleset | None:
    from gateway.errors import NotFound, PolicyInvalid

    if policy is None:
        return None
    try:
        return await judging.version(policy)
    except (NotFound, PolicyInvalid) as error:
        raise Failure(f"{policy}: {error}", "checkrein policy check", ABSENT) from error


def _instant(option: str, text: str | None) -> str | None:
    if text is None:
        return None
    try:
        return as_recorded(datetime.fromisoformat(text))
    except (ValueError, OverflowError):
        said = f"{option} is a time in RFC 3339, with its offset."
        raise Failure(said, "checkrein rejudge --since 2026-11-01T00:00:00Z", USAGE) from None


def _tell(screen: Screen, judged: list[Document], counts: Counter[str]) -> None:
    if not judged:
        screen.say("There is no decision to judge again.")
        return
    told = ", ".join(f"{count:,} {standing}" for standing, count in counts.most_common())
    bad = counts["diverges"]
    screen.say(f"{len(judged):,} decisions: {told}", "red" if bad else "")
    other = [each for each in judged if each["standing"] not in ALIKE]
    rows = [
        (
            each["run_id"],
            f"{each['seq']}",
            each["tool"],
            each["standing"],
            _change(each, "verdict"),
            _change(each, "enforced"),
            each["pointer"] or each["detail"] or "",
        )
        for each in other[:SHOWN]
    ]
    if rows:
        screen.table(("run", "seq", "tool", "stands", "verdict", "enforced", "where or why"), rows)
    if len(other) > SHOWN:
        screen.say(f"and {len(other) - SHOWN:,} more: --json has them all.")


def _change(judged: Document, what: str) -> str:
    was, now = judged["recorded"][what], judged["now"]
    return was if now is None or now[what] == was else f"{was} -> {now[what]}"
