"""The record of one model call, made when its answer is there, failed or was given up.

Nothing here may change what the agent sees of its model: every failure ends in a log line.
"""

from __future__ import annotations

import logging
import time
from typing import Any

from checkrein._asked import propose
from checkrein._proposed import proposals
from checkrein._record import note_model_call
from checkrein._run import Run, current_run
from checkrein.clients import _answers, _requests
from checkrein.clients._answers import Told
from checkrein.clients._assembling import Assembling
from checkrein.clients._prices import Prices, cost, price_of
from checkrein.clients._requests import ModelRequest

log = logging.getLogger("checkrein")


class Recording:
    """One call on its way. The first end counts; others are passed over."""

    def __init__(self, request: ModelRequest, run: Run, prices: Prices) -> None:
        self._request, self._run, self._prices = request, run, prices
        self._begun = time.perf_counter_ns()
        self.ended = self._odd = False
        self._assembling = Assembling(request.api)
        self._given: _requests.Given | None = None
        try:
            self._given = _requests.read(request)
        except Exception:
            log.exception("Checkrein could not read a model call")

    def answered(self, answer: Any) -> None:
        """The whole answer is there."""
        self._end("succeeded", lambda: _answers.read(self._request.api, answer), plan=True)

    def failed(self, error: BaseException) -> None:
        """There is none, or it broke off."""
        said = f"{type(error).__name__}: {error}"
        self._end("failed", lambda: self._so_far()._replace(error=said), plan=False)

    def event(self, event: Any) -> None:
        """The next event of a stream."""
        if self.ended:
            return
        try:
            self._assembling.add(event)
        except Exception:
            # A provider may send anything; it is said once for a stream.
            if not self._odd:
                self._odd = True
                log.warning("Checkrein could not read an event of a model's stream", exc_info=True)

    def streamed(self) -> None:
        """The stream has come to its end."""
        self._end("succeeded", self._so_far, plan=True)

    def abandoned(self) -> None:
        """Nobody reads on: what came until then is what there is."""
        self._end("abandoned", self._so_far, plan=False)

    def _so_far(self) -> Told:
        whole = self._assembling.whole
        return _answers.read(self._request.api, whole) if whole else Told(None)

    def _end(self, status: str, tell: Any, *, plan: bool) -> None:
        if self.ended:
            return
        self.ended = True
        try:
            self._record(status, tell(), time.perf_counter_ns() - self._begun, plan=plan)
        except Exception:  # the model's own answer stands, whatever happens to its record
            log.exception("Checkrein could not record a model call")

    def _record(self, status: str, told: Told, duration_ns: int, *, plan: bool) -> None:
        given = self._given
        if given is None:
            return
        spent = None
        price = price_of(self._prices, (told.response_model, given.model))
        if price is not None and told.usage is not None:
            value, currency = cost(self._run, price, told.usage)
            spent = {"value": value, "currency": currency}
        note_model_call(
            self._run,
            system=given.system,
            messages=given.messages,
            tools=given.tools,
            provider=self._request.provider,
            api=self._request.api,
            id=given.model,
            parameters=given.parameters,
            answer=told.answer,
            reasoning=told.reasoning,
            usage=told.usage,
            cost=spent,
            duration_ns=str(duration_ns),
            finish_reason=told.finish_reason,
            response_model=told.response_model,
            error=told.error,
            status="failed" if told.error else status,
        )
        here = current_run() is self._run
        if not here:
            # Perhaps the run is over, and nothing else would send this.
            self._run.push_events()
        if given.model:
            named = {"provider": self._request.provider, "id": given.model}
            self._run.observe(model={**named, "parameters": given.parameters})
        if told.reasoning:
            self._run.observe(reasoning=told.reasoning)
        if plan and here:
            propose(told.answer if proposals(told.answer)[1] else None, self._run)
