"""By what runs are found besides their rows: what each event says of its run, in clear.

Facts are few and only ever added: a side effect that a run had, a model that it asked, an MCP
server that it called. Pure, like the other projections, so that every backend files the same and a
rebuild gives what recording gave.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final, Literal

import msgspec
from msgspec import Struct, field

from gateway.domain.events import ApprovalBody, DecisionBody, Event, ResultBody
from gateway.domain.projections import RunRow, open_body, run_after

FactKind = Literal[
    "side_effect",
    "mcp_server",
    "mcp_client",
    "model",
    "prompt_version",
    "approval",
    "attention",
    "cost",
    "path",
    "digest",
]
Fact = tuple[FactKind, str]
# Why a run is worth a look before others.
Attention = Literal["halted", "failed", "errors", "over_budget", "interventions"]
# What is filed with each of them, so that they are found together.
ANY: Final = "any"

# What a run costs is kept up to here; a store's integer holds a batch of such amounts more.
COST_MAX: Final = 2**53 - 1
# A run that was stopped or asked about this often, of so many calls, is worth a look.
ACTIONS_MIN: Final = 4
_EFFECT_OF: Final = {"created": "write", "written": "write", "read": "read", "deleted": "delete"}
_INDEX_BYTES: Final = 1024


class ArtifactRow(Struct, frozen=True):
    """Something that a run made or touched, and which event, call, turn and agent it belongs to."""

    project_id: str
    run_id: str
    epoch: int
    seq: int
    recorded_at: str
    path: str | None = None
    digest: str | None = None
    access: str | None = None
    media_type: str | None = None
    size: int | None = None
    action_id: str | None = None
    turn_id: str | None = None
    agent_id: str | None = None

    @property
    def cursor(self) -> tuple[str, str]:
        """Its place in a list, to go on behind it."""
        return (self.recorded_at, f"{self.epoch}/{self.seq}/{self.run_id}")


class Standing(Struct, frozen=True):
    """What is known of a run beside its row: its cost by currency, in minor units, and why it is
    worth a look."""

    cost: dict[str, int] = {}
    attention: list[str] = []


class Agent(Struct, frozen=True):
    """An agent that had runs, and when the newest of them began."""

    agent_id: str
    last_started_at: str


class Filed(Struct):
    """What a batch of events adds, gathered: each fact once, costs summed by run and currency.

    `facts` are (project, kind, value, the run's start, run), the columns of their table.
    """

    facts: set[tuple[str, str, str, str, str]] = field(default_factory=set)
    costs: dict[tuple[str, str, str], int] = field(default_factory=dict)
    started: dict[tuple[str, str], str] = field(default_factory=dict)
    artifacts: list[ArtifactRow] = field(default_factory=list)

    def take(self, event: Event, body: Any, row: RunRow) -> None:
        """Add what an event says; `row` is the run's row after it."""
        said = said_by(event, body, row)
        if said is NOTHING:
            return
        place = (row.project_id, row.run_id)
        for kind, value in said.facts:
            self.facts.add((row.project_id, kind, value, row.started_at, row.run_id))
        if said.cost is not None:
            currency, amount = said.cost
            total = self.costs.get((*place, currency), 0) + amount
            self.costs[(*place, currency)] = min(total, COST_MAX)
            self.started[place] = row.started_at
        if said.artifact is not None:
            self.artifacts.append(said.artifact)


class FiledOfRun(Struct, frozen=True):
    """What is filed of one run, as the rows say: facts are (kind, value, the run's start)."""

    facts: frozenset[tuple[str, str, str]] = frozenset()
    costs: dict[str, int] = {}
    artifacts: tuple[ArtifactRow, ...] = ()

    def differences(self, other: FiledOfRun) -> list[str]:
        """What is not the same in both: kinds of facts, and the tables of the rest."""
        found = sorted({kind for kind, _, _ in self.facts ^ other.facts})
        if self.costs != other.costs:
            found.append("costs")
        if sorted(self.artifacts, key=_in_run) != sorted(other.artifacts, key=_in_run):
            found.append("artifacts")
        return found


def of_run(filed: Filed, project_id: str, run_id: str) -> FiledOfRun:
    """The rows that are there when all of a run's events were filed, and nothing else was."""
    place = (project_id, run_id)
    facts = {fact[1:4] for fact in filed.facts}
    costs = {currency: amount for (_, _, currency), amount in filed.costs.items()}
    for currency, amount in costs.items():
        started_at = filed.started[place]
        facts |= {(*cost_fact(currency, reached), started_at) for reached in decades(amount)}
    return FiledOfRun(frozenset(facts), costs, tuple(filed.artifacts))


def filed_again(events: Iterable[Event]) -> Filed:
    """What recording these events, which are a run's from its first, would file."""
    filed, row = Filed(), None
    for event in events:
        try:
            body = open_body(event)
        except msgspec.MsgspecError:
            continue
        row = run_after(row, event, body, lambda _decision_id: None)
        filed.take(event, body, row)
    return filed


class Said(Struct, frozen=True):
    """What one event adds: facts, a cost (currency, minor units), an artifact."""

    facts: tuple[Fact, ...] = ()
    cost: tuple[str, int] | None = None
    artifact: ArtifactRow | None = None


class _Cost(Struct, frozen=True):
    value: int
    currency: str


class _ModelCall(Struct, frozen=True):
    id: str | None = None
    prompt_version: str | None = None
    cost: _Cost | None = None


class _Artifact(Struct, frozen=True):
    path: str | None = None
    digest: str | None = None
    access: str | None = None
    media_type: str | None = None
    size: int | None = None
    agent_id: str | None = None


NOTHING: Final = Said()
_model_calls = msgspec.json.Decoder(_ModelCall)
_artifacts = msgspec.json.Decoder(_Artifact)


def said_by(event: Event, body: Any, row: RunRow) -> Said:
    """What an event says; `body` is its opened body and `row` the run's row after it."""
    if isinstance(body, DecisionBody):
        facts = _of_decision(body, row)
        return Said(facts) if facts else NOTHING
    if isinstance(body, ResultBody):
        return _of_result(event, body)
    if isinstance(body, ApprovalBody):
        return Said((("approval", "requested"), *_interventions(row)))
    try:
        return _of_observation(event, body, row)
    except msgspec.MsgspecError:
        # Evidence of another form is recorded all the same; it is only not found by it.
        return NOTHING


def decade(amount: int) -> str:
    """The power of ten that an amount reaches; those who seek a least cost look from there."""
    return str(10 ** (len(str(amount)) - 1)) if amount > 0 else "0"


def decades(amount: int) -> list[str]:
    """All powers of ten up to an amount."""
    return [str(10**power) for power in range(len(str(amount)))] if amount > 0 else []


def cost_fact(currency: str, reached: str) -> Fact:
    """That a run's cost in a currency has reached a power of ten."""
    return ("cost", f"{currency}:{reached}")


def _in_run(artifact: ArtifactRow) -> tuple[int, int]:
    return (artifact.epoch, artifact.seq)


def _of_decision(body: DecisionBody, row: RunRow) -> tuple[Fact, ...]:
    # Of a call that was stopped nothing happened to the world.
    ran = body.prior is None and body.enforced in ("allow", "warn", "modify")
    found: list[Fact] = [("side_effect", effect) for effect in body.side_effects if ran]
    found += _named("mcp_server", body.mcp_server)
    found += _named("mcp_client", body.mcp_client)
    if body.enforced == "halt":
        found += _attention("halted")
    stopped = body.prior is None and not ran
    if stopped and any("budget" in word.rule for word in body.rules):
        found += _attention("over_budget")
    if stopped:
        found += _interventions(row)
    return tuple(found)


def _of_result(event: Event, body: ResultBody) -> Said:
    if event.type != "result":
        return NOTHING
    cost = (body.cost.currency, body.cost.value) if body.cost else None
    return Said(_attention("errors") if body.status == "failed" else (), _counted(cost))


def _of_observation(event: Event, body: Any, row: RunRow) -> Said:
    if event.type == "model_call":
        call = _model_calls.decode(event.body)
        found = (*_named("model", call.id), *_named("prompt_version", call.prompt_version))
        return Said(found, _counted((call.cost.currency, call.cost.value) if call.cost else None))
    if event.type == "artifact":
        return _of_artifact(event, row)
    if event.type == "run_ended" and body.status == "failed":
        return Said(_attention("failed"))
    if event.type == "approval_expired" and not body.superseded:
        # Nobody said yes in time, which means no; `denied` is kept for what a person refused.
        return Said((("approval", "expired"),))
    return NOTHING


def _of_artifact(event: Event, row: RunRow) -> Said:
    told = _artifacts.decode(event.body)
    effect = _EFFECT_OF.get(told.access or "")
    artifact = ArtifactRow(
        project_id=event.project_id,
        run_id=event.run_id,
        epoch=event.epoch,
        seq=event.seq,
        recorded_at=event.recorded_at,
        path=told.path,
        digest=told.digest.removeprefix("sha256:").lower() if told.digest else None,
        access=told.access,
        media_type=told.media_type,
        size=told.size,
        action_id=event.action_id,
        turn_id=event.turn_id,
        agent_id=told.agent_id or row.agent_id,
    )
    found: tuple[Fact, ...] = (("side_effect", effect),) if effect else ()
    found += (*_named("path", artifact.path), *_named("digest", artifact.digest))
    return Said(found, artifact=artifact)


def _interventions(row: RunRow) -> tuple[Fact, ...]:
    often = row.actions >= ACTIONS_MIN and 2 * (row.blocked + row.approvals) >= row.actions
    return _attention("interventions") if often else ()


def _attention(why: Attention) -> tuple[Fact, ...]:
    return (("attention", why), ("attention", ANY))


def _counted(cost: tuple[str, int] | None) -> tuple[str, int] | None:
    """A cost with its currency in capitals; nothing where nothing was spent."""
    if cost is None or cost[1] <= 0:
        return None
    return cost[0].upper(), min(cost[1], COST_MAX)


def _named(kind: FactKind, value: str | None) -> tuple[Fact, ...]:
    """A name as a fact, unless it is longer than an index can hold."""
    if not value or len(value.encode("utf-8", "replace")) > _INDEX_BYTES:
        return ()
    return ((kind, value),)
