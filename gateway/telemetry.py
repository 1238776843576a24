"""Logs and metrics: declared once, with bounded labels, and never a word of content.

A metric's labels are closed vocabularies (verdict, step, store): never a tool, an agent or a
project, whose number nobody bounds.
"""

from __future__ import annotations

import logging
import sys
import time
from bisect import bisect_left
from collections.abc import Iterator, Mapping
from itertools import accumulate
from typing import TYPE_CHECKING, Final

import structlog
from prometheus_client import CollectorRegistry, Counter, Gauge
from prometheus_client.core import HistogramMetricFamily
from prometheus_client.registry import Collector

if TYPE_CHECKING:
    from structlog.typing import FilteringBoundLogger

# Milliseconds matter here: from a tenth of one to a quarter of a second.
SECONDS: Final = (0.0002, 0.0005, 0.001, 0.002, 0.004, 0.008, 0.015, 0.03, 0.06, 0.125, 0.25, 1.0)
STEPS: Final = ("gate", "gather", "assess", "evaluate", "append")
# Scores are counted by the first of these that they do not exceed.
SCORES: Final = (0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 1.0)


class Series:
    """One histogram's counts. The client library's own costs several times as much to observe,
    and every check observes five; these are only touched by the event loop."""

    __slots__ = ("counts", "total")

    def __init__(self) -> None:
        self.counts = [0] * (len(SECONDS) + 1)
        self.total = 0.0

    def observe(self, seconds: float) -> None:
        self.counts[bisect_left(SECONDS, seconds)] += 1
        self.total += seconds


class Durations(Collector):
    """A histogram in seconds with one label of a closed vocabulary."""

    def __init__(self, name: str, text: str, label: str) -> None:
        self._name = name
        self._text = text
        self._label = label
        self._series: dict[str, Series] = {}

    def labels(self, value: str) -> Series:
        return self._series.setdefault(value, Series())

    def collect(self) -> Iterator[HistogramMetricFamily]:
        family = HistogramMetricFamily(self._name, self._text, labels=[self._label])
        bounds = [*(str(bound) for bound in SECONDS), "+Inf"]
        for value, series in self._series.items():
            below = list(accumulate(series.counts))
            family.add_metric([value], list(zip(bounds, below, strict=True)), series.total)
        yield family


class Metrics:
    """Every metric of the gateway. One instance a process, with a registry of its own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.check_seconds = Durations(
            "checkrein_check_seconds",
            "Time from the first byte read to the reply, by enforced verdict.",
            "enforced",
        )
        self.step_seconds = Durations(
            "checkrein_check_step_seconds",
            "Time of one step of a check: gate, gather, assess, evaluate, append.",
            "step",
        )
        self.registry.register(self.check_seconds)
        self.registry.register(self.step_seconds)
        self.verdicts = Counter(
            "checkrein_verdicts",
            "Decisions by what rules said, what was enforced, and the mode.",
            ["verdict", "enforced", "mode"],
            registry=self.registry,
        )
        self.degraded = Counter(
            "checkrein_degraded_decisions",
            "Decisions in whose judgement a part failed.",
            registry=self.registry,
        )
        self.problems = Counter(
            "checkrein_problems",
            "Requests answered with a problem, by its code.",
            ["code"],
            registry=self.registry,
        )
        self.unparsable = Counter(
            "checkrein_unparsable_requests",
            "Requests that cannot be parsed as HTTP; they are answered without a problem.",
            registry=self.registry,
        )
        self.gaps = Counter(
            "checkrein_gaps",
            "Guarded calls that ran without a decision, as SDKs reported them.",
            registry=self.registry,
        )
        self.rejudged = Counter(
            "checkrein_checks_judged_again",
            "Checks judged again because the run had changed meanwhile.",
            registry=self.registry,
        )
        self.proven = Counter(
            "checkrein_decisions_rejudged",
            "Recorded decisions that the gateway judged again by itself, by how they stand.",
            ["standing"],
            registry=self.registry,
        )
        self.exact_share = Gauge(
            "checkrein_rejudged_exact_share",
            "The share of those, as far as they can be judged again, that came out the same.",
            registry=self.registry,
        )
        # Not a number until something was judged.
        self.exact_share.set(float("nan"))
        self.journal_waiting = Gauge(
            "checkrein_journal_waiting_events",
            "Events in the journal that are not yet in the ledger.",
            registry=self.registry,
        )
        self.journal_oldest = Gauge(
            "checkrein_journal_oldest_seconds",
            "Age of the oldest event that is not yet in the ledger.",
            registry=self.registry,
        )
        self.journal_set_aside = Gauge(
            "checkrein_journal_set_aside_reservations",
            "Reservations since the start whose record could not be read when they were due.",
            registry=self.registry,
        )
        self.chain_ok = Gauge(
            "checkrein_chain_verified",
            "1 while verification of chains has found nothing, 0 since it has, -1 before it began.",
            registry=self.registry,
        )
        self.chain_ok.set(-1)
        self.checkpoints = Counter(
            "checkrein_checkpoints",
            "Checkpoints that witnesses were told, by witness and outcome: pushed, failed, or"
            " contradicted by what the witness saw before.",
            ["witness", "outcome"],
            registry=self.registry,
        )
        self.witnessed_seconds = Gauge(
            "checkrein_witnessed_seconds",
            "How long ago all witnesses had last seen the log of every project as it then was.",
            registry=self.registry,
        )
        # Not a number before that; it goes on when nobody tells of it any more.
        self._witnessed_at = float("nan")
        self.witnessed_seconds.set_function(lambda: time.time() - self._witnessed_at)
        self.unreadable = Counter(
            "checkrein_unreadable_events",
            "Journal records that could not be read and were stored as unreadable.",
            registry=self.registry,
        )
        self.policy_reloads = Counter(
            "checkrein_policy_reloads",
            "Changed policy folders, by outcome: active or refused.",
            ["outcome"],
            registry=self.registry,
        )
        self.evaluator_replaced = Counter(
            "checkrein_evaluator_replacements",
            "Evaluator children that were replaced.",
            registry=self.registry,
        )
        self.spool_waiting = Gauge(
            "checkrein_spool_waiting_decisions",
            "Decisions in the spool that are not yet in the journal.",
            registry=self.registry,
        )
        self.spooled = Counter(
            "checkrein_spooled_decisions",
            "Decisions given from the spool, while the journal was away.",
            registry=self.registry,
        )
        self.spool_drained = Counter(
            "checkrein_spool_drained_decisions",
            "Spooled decisions that came into the journal.",
            registry=self.registry,
        )
        self.spool_refused = Counter(
            "checkrein_spool_refusals",
            "Checks that the spool could not take, because it was full or its disk was.",
            registry=self.registry,
        )
        self.spool_set_aside = Gauge(
            "checkrein_spool_set_aside",
            "Files and records of the spool that were set aside, since this gateway began.",
            registry=self.registry,
        )
        self.intent_scores = Counter(
            "checkrein_intent_scores",
            "Assessments of the Intent Guard, by the bound that their score does not exceed.",
            ["at_most"],
            registry=self.registry,
        )
        self.intent_failures = Counter(
            "checkrein_intent_failures",
            "Checks that the Intent Guard did not assess, by why: timeout, crash, error, malformed,"
            " unavailable.",
            ["trouble"],
            registry=self.registry,
        )
        self.intent_replaced = Counter(
            "checkrein_intent_replacements",
            "Assessor children that were replaced.",
            registry=self.registry,
        )
        self.intent_canaries_failed = Gauge(
            "checkrein_intent_canaries_failed",
            "Planted cases that the Intent Guard got wrong when it was last tried, -1 before that.",
            registry=self.registry,
        )
        self.intent_canaries_failed.set(-1)
        self.intent_psi = Gauge(
            "checkrein_intent_psi",
            "Population stability index in the last report on the Intent Guard, by figure.",
            ["figure"],
            registry=self.registry,
        )
        self.intent_labels = Gauge(
            "checkrein_intent_labels",
            "Labels that the last report on the Intent Guard counted, by what they say.",
            ["truth"],
            registry=self.registry,
        )
        self.intent_calibration_error = Gauge(
            "checkrein_intent_calibration_error",
            "Expected calibration error in the last report that had 100 labels.",
            registry=self.registry,
        )
        self.live_followers = Gauge(
            "checkrein_live_followers",
            "Connections that follow a project live, by transport: sse, websocket.",
            ["transport"],
            registry=self.registry,
        )
        self.live_ended = Counter(
            "checkrein_live_ended",
            "Live streams that ended, by why: left, slow, over, stopping, key_revoked, key_expired,"
            " failed.",
            ["why"],
            registry=self.registry,
        )
        self.live_gaps = Counter(
            "checkrein_live_gaps",
            "Gaps told to followers that were too far behind, or asked for what is not kept.",
            registry=self.registry,
        )
        # Looking a label up costs more than observing, so what every check touches is at hand.
        self.gated = self.step_seconds.labels("gate").observe
        self.gathered = self.step_seconds.labels("gather").observe
        self.assessed = self.step_seconds.labels("assess").observe
        self.evaluated = self.step_seconds.labels("evaluate").observe
        self.appended = self.step_seconds.labels("append").observe
        self._scores = [self.intent_scores.labels(str(bound)) for bound in SCORES]
        self._answers: dict[tuple[str, str, str], tuple[Series, Counter]] = {}

    def witnessed(self, checkpoints: Mapping[str, int], at: float) -> None:
        """Count what witnesses were told, by "witness outcome". `at` is when they had seen all,
        0 before that, and -1 where another worker knows."""
        for name, count in checkpoints.items():
            self.checkpoints.labels(*name.split(" ")).inc(count)
        if at:
            self._witnessed_at = at if at > 0 else float("nan")

    def scored(self, score: float) -> None:
        """Count one assessment."""
        self._scores[bisect_left(SCORES, score)].inc()

    def answered(self, verdict: str, enforced: str, mode: str, seconds: float) -> None:
        """Count one decision. All three words come from closed vocabularies."""
        key = (verdict, enforced, mode)
        found = self._answers.get(key)
        if found is None:
            found = (self.check_seconds.labels(enforced), self.verdicts.labels(*key))
            self._answers[key] = found
        found[0].observe(seconds)
        found[1].inc()


def configure_logging(level: str = "info", *, pretty: bool | None = None) -> None:
    """JSON lines to standard error, or coloured text when that is a terminal."""
    on_terminal = sys.stderr.isatty() if pretty is None else pretty
    renderer = (
        structlog.dev.ConsoleRenderer()
        if on_terminal
        else structlog.processors.JSONRenderer(sort_keys=True)
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(
            logging.getLevelNamesMapping()[level.upper()]
        ),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=False,
    )


def logger(name: str) -> FilteringBoundLogger:
    """A logger whose events are past-tense names with fields."""
    bound: FilteringBoundLogger = structlog.get_logger(component=name)
    return bound
