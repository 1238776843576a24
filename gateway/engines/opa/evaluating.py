"""One evaluation within its deadline: together, and rule by rule when something fails."""

from __future__ import annotations

import asyncio
from typing import Final

from gateway.domain.rule_results import Failure, RuleResult
from gateway.engines import answers
from gateway.engines.complaints import Failed
from gateway.engines.opa.asking import Trouble, ask, is_json
from gateway.engines.opa.breaker import Breaker
from gateway.engines.opa.client import Client
from gateway.engines.opa.copies import Copy
from gateway.engines.opa.library import Library
from gateway.engines.opa.limits import Limits

# The part of the deadline after which rules that were asked together are asked one by one.
TOGETHER: Final = 0.6

FAILURES: Final[dict[Trouble, Failure]] = {
    Trouble.FAILED: "error",
    Trouble.REFUSED: "error",
    Trouble.LARGE: "malformed",
    Trouble.MISSING: "unavailable",
    Trouble.AWAY: "unavailable",
}


class Evaluator:
    """Asks OPA about frames. Whatever happens is a result, at the deadline at the latest."""

    def __init__(self, client: Client, limits: Limits, library: Library, breaker: Breaker) -> None:
        self._client = client
        self._limits = limits
        self._library = library
        self._breaker = breaker
        self._free = asyncio.Semaphore(limits.concurrent)
        self._taken_apart = 0

    async def evaluate(
        self, digest: str, copy: Copy, rules: tuple[str, ...], frame: bytes
    ) -> tuple[RuleResult, ...]:
        """The results of `rules`; the deadline begins now.

        Waiting for others is done here, not in OPA: what is given up here costs it nothing.
        """
        if not is_json(frame):
            return all_fail(rules, "error")
        end = asyncio.get_running_loop().time() + self._limits.timeout
        try:
            async with asyncio.timeout_at(end):
                await self._free.acquire()
        except TimeoutError:
            return all_fail(rules, "unavailable")
        try:
            return await self._evaluate(digest, copy, rules, frame, end)
        finally:
            self._free.release()

    async def _evaluate(
        self, digest: str, copy: Copy, rules: tuple[str, ...], frame: bytes, end: float
    ) -> tuple[RuleResult, ...]:
        several = len(rules) > 1
        now = asyncio.get_running_loop().time()
        together = now + (end - now) * TOGETHER if several else end
        try:
            async with asyncio.timeout_at(together):
                answer = await self._ask(copy, rules, frame)
        except TimeoutError:
            self._breaker.suspect()
            if several and end - now > self._limits.timeout / 2:
                return await self._apart(copy, rules, frame, end)
            return _late(rules)
        if answer is Trouble.MISSING:
            answer = await self._restored(digest, copy, rules, frame, end)
        if isinstance(answer, bytes):
            return answers.of_all(rules, answer)
        if several and answer in {Trouble.FAILED, Trouble.LARGE}:
            return await self._apart(copy, rules, frame, end, failed=True)
        if answer is Trouble.AWAY:
            self._breaker.suspect()
        return all_fail(rules, FAILURES[answer])

    async def _ask(self, copy: Copy, rules: tuple[str, ...], frame: bytes) -> bytes | Trouble:
        return await ask(self._client, copy, rules, frame, self._limits.reply_bytes)

    async def _restored(
        self, digest: str, copy: Copy, rules: tuple[str, ...], frame: bytes, end: float
    ) -> bytes | Trouble:
        """The answer after the ruleset was brought back, if that is in time."""
        try:
            async with asyncio.timeout_at(end):
                if await self._library.restore(digest, copy):
                    return await self._ask(copy, rules, frame)
        except TimeoutError:
            pass
        return Trouble.MISSING

    async def _apart(
        self,
        copy: Copy,
        rules: tuple[str, ...],
        frame: bytes,
        end: float,
        *,
        failed: bool = False,
    ) -> tuple[RuleResult, ...]:
        """Each rule alone, so that the guilty one fails alone.

        After a time-out only a few at the same time: a server that has too much to do would
        otherwise get more.
        """
        if not failed and self._taken_apart >= self._limits.apart:
            return _late(rules)
        self._taken_apart += not failed
        try:
            outcomes = await asyncio.gather(
                *(self._alone(copy, rule, frame, end) for rule in rules)
            )
        finally:
            self._taken_apart -= not failed
        return answers.of_each(rules, outcomes)

    async def _alone(self, copy: Copy, rule: str, frame: bytes, end: float) -> bytes | Failed:
        try:
            async with asyncio.timeout_at(end):
                answer = await self._ask(copy, (rule,), frame)
        except TimeoutError:
            return Failed("timeout")
        # The answer is an array with the rule's own.
        return answer[1:-1] if isinstance(answer, bytes) else Failed(FAILURES[answer])


def all_fail(rules: tuple[str, ...], failure: Failure) -> tuple[RuleResult, ...]:
    return answers.of_each(rules, [Failed(failure)] * len(rules))


def _late(rules: tuple[str, ...]) -> tuple[RuleResult, ...]:
    return all_fail(rules, "timeout")
