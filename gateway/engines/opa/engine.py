"""The OPA engine: an Open Policy Agent server behind the engine port."""

from __future__ import annotations

import hashlib
import ssl

import msgspec

from gateway.ambient import Ambient, SystemAmbient
from gateway.domain.rule_results import EngineInfo, RuleResult
from gateway.domain.ruleset import Ruleset
from gateway.engines.opa import address
from gateway.engines.opa.breaker import Breaker
from gateway.engines.opa.client import Client
from gateway.engines.opa.copies import FORMAT
from gateway.engines.opa.evaluating import Evaluator, all_fail
from gateway.engines.opa.library import Library
from gateway.engines.opa.limits import Limits
from gateway.engines.opa.probing import Probe, probe
from gateway.errors import EngineUnavailable, PolicyInvalid
from gateway.policies.rego.builtins import ALLOWED

# `doctor` and `probe` wait longer than a check does.
PROBE_SECONDS = 2.0
# For rules that are asked one by one, for loading, for probes.
SPARE_CONNECTIONS = 16
BREAKER_SECONDS = 2.0


class OpaEngine:
    """Asks an OPA server that it fills itself. `url` is `http://host:port`, or `https`.

    Raises ConfigInvalid for another kind of URL. Nothing is opened before the first use, and then
    for the event loop that runs.
    """

    def __init__(
        self,
        url: str,
        limits: Limits | None = None,
        *,
        token: str | None = None,
        tls: ssl.SSLContext | None = None,
        ambient: Ambient | None = None,
    ) -> None:
        self.url = url
        self._limits = limits or Limits()
        connections = self._limits.concurrent + SPARE_CONNECTIONS
        self._client = Client(address.parse(url), connections, token, tls)
        self._info = EngineInfo("opa", "", _capabilities(self._limits))
        self._breaker = Breaker(self._answers)
        self._library = Library(
            self._client, self._limits, ambient or SystemAmbient(), self._is_version
        )
        self._evaluator = Evaluator(self._client, self._limits, self._library, self._breaker)
        self._waiting_bytes = 0
        self._closed = False

    @property
    def info(self) -> EngineInfo:
        """The version is the server's, known from the first `load` on."""
        return self._info

    @property
    def breaker_open(self) -> bool:
        """OPA does not answer, so it is not asked: every rule is `unavailable` at once."""
        return self._breaker.is_open

    @property
    def at_work(self) -> bool:
        """Whether something is done on the server that nobody waits for."""
        return self._library.at_work

    async def probe(self) -> Probe:
        """Whether OPA can be reached, and which version it is. Never raises."""
        return await probe(self._client, PROBE_SECONDS)

    async def load(self, ruleset: Ruleset) -> None:
        await self._library.load(ruleset)

    async def evaluate(
        self, ruleset: Ruleset, rules: tuple[str, ...], frame: bytes
    ) -> tuple[RuleResult, ...]:
        if not rules:
            return ()
        full = self._waiting_bytes + len(frame) > self._limits.waiting_bytes
        if full or self._closed or self._breaker.is_open:
            return all_fail(rules, "unavailable")
        self._waiting_bytes += len(frame)
        try:
            copy = self._library.known(ruleset.digest) or await self._library.load(ruleset)
            return await self._evaluator.evaluate(ruleset.digest, copy, rules, frame)
        except PolicyInvalid:
            return all_fail(rules, "error")
        except EngineUnavailable:
            self._breaker.suspect()
            return all_fail(rules, "unavailable")
        finally:
            self._waiting_bytes -= len(frame)

    async def close(self) -> None:
        """Close the connections. Rulesets stay on the server, for others and for next time."""
        self._closed = True
        await self._breaker.close()
        await self._library.close()
        await self._client.close_connection()

    async def _answers(self) -> bool:
        # A server with much to do is not a dead one.
        found = await probe(self._client, max(BREAKER_SECONDS, self._limits.timeout))
        return found.version is not None

    def _is_version(self, version: str) -> None:
        if version != self._info.version:
            self._info = msgspec.structs.replace(self._info, version=version)


def _capabilities(limits: Limits) -> str:
    """The digest of what may change an answer: the built-ins, the limits, the way of asking."""
    described = msgspec.json.encode([FORMAT, sorted(ALLOWED), limits], order="sorted")
    return hashlib.sha256(described).hexdigest()
