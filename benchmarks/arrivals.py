"""A Locust file: an open model. Requests leave at times that were fixed beforehand.

A latency counts from the scheduled time, so a slow answer delays nobody behind it unseen; how late
the generator itself was is its lag, reported beside.
"""

from __future__ import annotations

import json
import os
import time
from itertools import count
from typing import Any

import gevent
from locust import FastHttpUser, events, task

RATE = float(os.environ.get("BENCH_RATE", "500"))
SECONDS = float(os.environ.get("BENCH_SECONDS", "20"))
WARM_SECONDS = 2.0
BODY = os.environ.get("BENCH_BODY", "")
KEY = os.environ.get("BENCH_KEY", "")
OUT = os.environ.get("BENCH_OUT", "")

# As `body.PLACEHOLDER` and `saturate.CHECKS_A_RUN`: Locust loads this file alone.
PLACEHOLDER = "0000000000"
CHECKS_A_RUN = 20
RUNS = 64

_next = count()
_lags: list[float] = []
_latencies: list[float] = []
_failed: list[int] = []
_began: list[float] = []


def _run(number: int) -> int:
    """64 runs at a time, 20 checks each."""
    return number // (RUNS * CHECKS_A_RUN) * RUNS + number % RUNS


class Arrivals(FastHttpUser):
    """One of many senders, each of which takes the next arrival of the schedule."""

    connection_timeout = 5.0
    network_timeout = 5.0

    def on_start(self) -> None:
        self.body = open(BODY).read()  # noqa: PTH123, SIM115
        self.headers = {"content-type": "application/json", "authorization": f"Bearer {KEY}"}

    @task
    def arrive(self) -> None:
        number = next(_next)
        if number >= RATE * SECONDS:
            self.environment.runner.quit()
            gevent.sleep(60)
        if not _began:
            _began.append(time.perf_counter() + 0.2)
        scheduled = _began[0] + number / RATE
        gevent.sleep(max(0.0, scheduled - time.perf_counter()))
        started = time.perf_counter()
        body = self.body.replace(PLACEHOLDER, f"{_run(number):010d}")
        answer = self.client.post("/v1/check-action", data=body, headers=self.headers)
        finished = time.perf_counter()
        if number / RATE < WARM_SECONDS:
            return
        _lags.append(started - scheduled)
        _latencies.append(finished - scheduled)
        if answer.status_code != 200:
            _failed.append(answer.status_code)


@events.quitting.add_listener  # type: ignore[untyped-decorator]
def _report(**_: Any) -> None:
    with open(OUT, "w") as file:  # noqa: PTH123
        json.dump({"lags": _lags, "latencies": _latencies, "failed": len(_failed)}, file)
