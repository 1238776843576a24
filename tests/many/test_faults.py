"""D4: whatever becomes of a server that a gateway stands on, every check is answered in time, and
as the fail matrix says; nothing unrecorded is answered; afterwards all goes on by itself."""

from __future__ import annotations

import signal
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from msgspec import Struct

from gateway.domain.fail_matrix import Part, consequence
from gateway.domain.ruleset import Environment
from gateway.domain.verdicts import SIDE_EFFECTS, STOPPING, SideEffect
from gateway.policies import manifest
from tests.many import recorded
from tests.many.asking import Client
from tests.many.gateways import Installation, Served, knows
from tests.reliability import folders
from tests.reliability.process import until
from tests.reliability.threads import together
from tests.reliability.wire import Reply, Wire
from tests.servers import opa
from tests.servers.proxy import Fault, Faulty, faulty

# Far beyond any deadline of the gateway's, near enough to tell an answer from a hanging one.
GUARD_SECONDS = 10.0
BACK_SECONDS = 60.0
# Where Redis is well, how long it takes over a flush says more about the machine than about it.
PATIENT_SECONDS = 5.0
PROMISED_SECONDS = 5.0
FAULTS: tuple[Fault, ...] = (
    "refuse",
    "black hole",
    "one byte a second",
    "reset on reply",
    "half-open",
    "garbage",
)
POLICY = """
environments:
  development: {mode: log, defaults: {"*": allow}, fail: {"*": open}, journal: spool}
  staging: {mode: warn, defaults: {"*": allow}, fail: {"*": closed}, journal: spool}
  production:
    mode: block
    defaults: {"*": allow}
    fail: {read: open, network: open, "*": closed}
    journal: closed
tools:
"""
# What a tool does is the policy's to say: nothing is inferred from its name.
TOOLS = "".join(
    f"  - {{match: acme.{effect}, side_effects: [{effect}]}}\n" for effect in SIDE_EFFECTS
)
RULE = folders.rule(
    "acme.watch",
    "acme.*",
    'verdict contains {"effect": "warn", "reason": "loud"} if input.action.arguments.loud == true',
    "optional: [/action/arguments/loud]",
)
FILES = {"policy.yaml": POLICY + TOOLS, "rules/watch.rego": RULE}


class Behind(Struct, frozen=True):
    """A gateway with a proxy before each of its servers, and a key of each environment."""

    gateway: Served
    proxies: dict[str, Faulty]
    keys: dict[str, str]
    environments: dict[str, Environment]


class Told(Struct, frozen=True):
    """A reply, and how long it took."""

    reply: Reply
    seconds: float


@pytest.fixture(scope="module")
def behind(
    installation: Installation, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Behind]:
    with _behind(installation, tmp_path_factory.mktemp("faults"), "faults") as found:
        yield found


@pytest.fixture(scope="module")
def patient(
    installation: Installation, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Behind]:
    """One that waits for Redis, for tests in which another server is away: there nothing but that
    one's fault may show."""
    folder = tmp_path_factory.mktemp("patient")
    with _behind(installation, folder, "patient", redis_seconds=PATIENT_SECONDS) as found:
        yield found


@contextmanager
def _behind(
    installation: Installation, folder: Path, name: str, **settings: object
) -> Iterator[Behind]:
    policies = folders.write(folder / "policies", FILES)
    servers = installation.production
    keys = {environment: installation.key(environment) for environment in _environments()}
    with ExitStack() as stack:
        engine = stack.enter_context(opa.running())
        proxies = {
            "redis": stack.enter_context(faulty(servers.redis.port, b"HTTP/1.1 200 OK\r\n\r\n")),
            "postgres": stack.enter_context(faulty(servers.postgres.port, b"-ERR no\r\n" * 20)),
            "opa": stack.enter_context(faulty(engine.port, b"+OK\r\n$-1\r\n")),
        }
        database = servers.environ()["CHECKREIN_DATABASE_URL"]
        gateway = installation.gateway(
            name,
            policies,
            redis_url=f"redis://127.0.0.1:{proxies['redis'].port}/0",
            database_url=database.replace(
                f":{servers.postgres.port}/", f":{proxies['postgres'].port}/"
            ),
            opa_url=f"http://127.0.0.1:{proxies['opa'].port}",
            **settings,
        )
        stack.callback(gateway.end)
        gateway.start()
        knows(gateway, *keys.values())
        texts = {environment: key.text for environment, key in keys.items()}
        yield Behind(gateway, proxies, texts, _environments())


@pytest.mark.parametrize("fault", FAULTS)
def test_with_the_journal_away_each_environment_does_what_the_matrix_says(
    fault: Fault, behind: Behind, installation: Installation, capsys: pytest.CaptureFixture[str]
) -> None:
    """Redis. Connections that are dead unnoticed cost their checks; new ones are well."""
    with behind.proxies["redis"].misbehaving(fault):
        told = _matrix(behind)

    for (name, effect), each in told.items():
        if fault == "half-open" and each.reply.json.get("durability") == "fsync":
            _judged_as_always(each.reply)
        else:
            _as_the_matrix_says("journal", behind, name, effect, each.reply)
    _goes_on(behind)
    _is_recorded(installation, [each.reply for each in told.values()])
    _say(capsys, "Redis", fault, told)


@pytest.mark.parametrize("fault", FAULTS)
def test_with_the_engine_away_rules_take_the_fail_mode_of_their_side_effect(
    fault: Fault, patient: Behind, installation: Installation, capsys: pytest.CaptureFixture[str]
) -> None:
    """OPA: what could not be evaluated is a recorded decision like any other."""
    with patient.proxies["opa"].misbehaving(fault):
        told = _matrix(patient)

    for (name, effect), each in told.items():
        if fault == "half-open" and not each.reply.json["degraded"]:
            _judged_as_always(each.reply)
        else:
            _as_the_matrix_says("engine", patient, name, effect, each.reply)
    _goes_on(patient)
    _is_recorded(installation, [each.reply for each in told.values()])
    _say(capsys, "OPA", fault, told)


@pytest.mark.parametrize("fault", FAULTS)
def test_with_the_ledger_away_checks_go_on(
    fault: Fault, patient: Behind, installation: Installation, capsys: pytest.CaptureFixture[str]
) -> None:
    """PostgreSQL: nobody waits for it but a run that Redis does not know, for the ledger may. That
    one is answered as without a journal, and holds up no other."""
    names = {name: f"known {fault} {uuid4()}" for name in patient.environments}
    for name, run in names.items():
        _insist(patient, name, "read", run={"id": run})

    with patient.proxies["postgres"].misbehaving(fault):
        known = _matrix(patient, lambda name: {"id": names[name]}, effects=("read",))
        named = _matrix(patient, lambda _: {"id": str(uuid4())}, effects=("read",))
        told = _matrix(patient)

    for each in (*known.values(), *told.values()):
        _judged_as_always(each.reply)
    for (name, effect), each in named.items():
        if fault == "half-open" and each.reply.json.get("durability") == "fsync":
            _judged_as_always(each.reply)
        else:
            _as_the_matrix_says("journal", patient, name, effect, each.reply)
    _goes_on(patient, run={"id": str(uuid4())})
    replies = [each.reply for told_of in (known, named, told) for each in told_of.values()]
    _is_recorded(installation, replies)
    _say(capsys, "PostgreSQL", fault, told)
    _say(capsys, "PostgreSQL, runs that Redis does not know", fault, named)


def test_a_revocation_is_known_in_time_although_the_connection_died_unnoticed(
    behind: Behind, installation: Installation
) -> None:
    """S2: what the gateway asks for changed keys is answered by nobody; it asks on another one."""
    key = installation.key()
    knows(behind.gateway, key)
    wire = Wire(behind.gateway.port, key.text)

    with behind.proxies["postgres"].misbehaving("half-open"):
        installation.checkrein("keys", "revoke", key.id)
        revoked = time.monotonic()
        until(lambda: wire.get("/v1/policies/active").status == 401, BACK_SECONDS, "it is refused")
        seconds = time.monotonic() - revoked

    wire.close()
    assert seconds < PROMISED_SECONDS


def test_while_the_database_stands_still_the_stream_holds_what_is_decided(
    two: list[Served], installation: Installation
) -> None:
    """reliability 5: the database itself is stopped, for the worker too; nothing of it is missing
    afterwards."""
    postgres = installation.production.postgres
    client = Client(two[:1])
    run = {"id": str(uuid4())}
    action = {"tool": "crm.read_customer", "arguments": {}}
    client.check(0, run=run, action=action)

    postgres.signal(signal.SIGSTOP)
    try:
        given = [client.check(0, action=action, **more) for more in ({}, {"run": run}) * 40]
    finally:
        postgres.signal(signal.SIGCONT)

    assert {each["durability"] for each in given} == {"fsync"}
    recorded.decisions(installation, given)
    client.close()


def _matrix(
    behind: Behind,
    run: Any = lambda _: None,
    *,
    effects: tuple[SideEffect, ...] = SIDE_EFFECTS,
) -> dict[tuple[str, SideEffect], Told]:
    """One check of each environment and side effect; the environments at the same time."""

    def ask(name: str) -> dict[tuple[str, SideEffect], Told]:
        wire = Wire(behind.gateway.port, behind.keys[name])
        told = {(name, effect): _ask(wire, effect, run(name)) for effect in effects}
        wire.close()
        return told

    found: dict[tuple[str, SideEffect], Told] = {}
    for told in together([partial(ask, name) for name in behind.environments]):
        found |= told
    return found


def _ask(wire: Wire, effect: SideEffect, run: dict[str, Any] | None = None) -> Told:
    action = {"tool": f"acme.{effect}", "arguments": {"note": str(uuid4())}}
    begun = time.monotonic()
    reply = wire.check(action=action, **({"run": run} if run else {}))
    seconds = time.monotonic() - begun
    assert seconds < GUARD_SECONDS, (effect, reply)
    return Told(reply, seconds)


def _as_the_matrix_says(
    part: Part, behind: Behind, name: str, effect: SideEffect, reply: Reply
) -> None:
    told = consequence(part, name, behind.environments[name], effect)
    assert reply.status == told.status, (name, effect, reply)
    if told.status == 503:
        assert reply.json["code"] == "journal_unavailable"
        assert reply.json["fail_mode"] == ("open" if told.runs else "closed")
        assert int(reply.headers["retry-after"]) > 0
        return
    decision = reply.json
    assert (decision["enforced"] not in STOPPING) == told.runs, (name, effect, decision)
    if part == "journal":
        assert (decision["durability"], decision["seq"]) == ("spooled", 0)
        assert "journal" in decision["degraded"]
    else:
        assert decision["durability"] == "fsync"
        (degraded,) = decision["degraded"]
        assert degraded.startswith("engine:acme.watch:")


def _judged_as_always(reply: Reply) -> None:
    """In the journal. A rule may have taken too long, where the machine has much else to do."""
    assert reply.status == 200, reply
    decision = reply.json
    assert decision["durability"] == "fsync"
    assert all(each == "engine:acme.watch:timeout" for each in decision["degraded"]), decision
    assert decision["enforced"] == "allow" or decision["degraded"]


def _goes_on(behind: Behind, **body: Any) -> None:
    """Every environment is served as ever, by the same process."""
    assert behind.gateway.is_running()
    for name in behind.environments:
        _insist(behind, name, "read", **body)
    assert behind.gateway.started == 1


def _insist(behind: Behind, name: str, effect: SideEffect, **body: Any) -> None:
    """Until it is judged with nothing away."""
    wire = Wire(behind.gateway.port, behind.keys[name])

    def well() -> bool:
        reply = _ask(wire, effect, **body).reply
        return reply.status == 200 and not reply.json["degraded"]

    until(well, BACK_SECONDS, f"{name} is served as ever")
    wire.close()


def _is_recorded(installation: Installation, replies: list[Reply]) -> None:
    """Whatever was answered is in the ledger once, and says the same."""
    given = [reply.json for reply in replies if reply.status == 200]
    found = recorded.decisions(installation, given)
    for each in given:
        entry = found[each["decision_id"]]
        said = entry.content["decision"]
        assert (said["enforced"], said["degraded"]) == (each["enforced"], each["degraded"])
        assert entry.body["spooled"] == (each["durability"] == "spooled")


def _say(
    capsys: pytest.CaptureFixture[str], server: str, fault: Fault, told: dict[Any, Told]
) -> None:
    statuses = Counter(
        each.reply.json.get("durability", each.reply.status) for each in told.values()
    )
    longest = max(each.seconds for each in told.values())
    with capsys.disabled():
        print(  # noqa: T201 - the counts are the evidence
            f"\n{server}, {fault}: {len(told)} checks {dict(statuses)}, longest {longest:.2f} s"
        )


def _environments() -> dict[str, Environment]:
    written, _, problems = manifest.parse(POLICY + TOOLS)
    assert written is not None, problems
    return {name: manifest.environment(each) for name, each in written.environments.items()}
