"""What the backend counts, as Prometheus reads it, and the event lines of its log.

Law: a label and a field is a word of our own (a provider, a registered tool, an error code), a number or a hash;
never what a caller wrote or somebody said.
"""

from __future__ import annotations

import json
import logging
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any

from prometheus_client.exposition import generate_latest
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import CollectorRegistry

from couchvoice.backend.activity import Traffic
from couchvoice.backend.latencies import Latencies
from couchvoice.backend.pseudonyms import Pseudonyms
from couchvoice.backend.refusals import Refused
from couchvoice.backend.sessions import LiveSessions
from couchvoice.contract import MemoryMode
from couchvoice.errors import CouchvoiceError

CONTENT_TYPE = "text/plain; version=1.0.0; charset=utf-8"
OK = "ok"
FAILED = "failed"
UNKNOWN_TOOL = "unknown_tool"

# One JSON object for each line; whoever shows the log shows these as they are.
_events = logging.getLogger("couchvoice.backend.events")


class Figures:
    """Of this process, since it started: whoever runs several adds them up.

    ``audits``: what came of them, by a word; ``clock`` gives seconds.
    """

    def __init__(
        self,
        sessions: LiveSessions,
        pseudonyms: Pseudonyms | None = None,
        *,
        audits: Mapping[str, int] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._audits = {} if audits is None else audits
        self._sessions = sessions
        self._pseudonyms = pseudonyms or Pseudonyms()
        self._clock = clock
        self._started = clock()
        self.opened: Counter[str] = Counter()  # by provider
        self.failures: Counter[tuple[str, str]] = Counter()  # by provider and reason
        self.tool_calls: Counter[tuple[str, str]] = Counter()  # by name and status
        self.turns: Counter[str] = Counter()  # by outcome
        self.feedback: Counter[str] = Counter()
        self.bytes: Counter[str] = Counter()  # in, out
        self.reconnects = 0
        self.latencies = Latencies()

    @contextmanager
    def opening(self, provider: str, owner: str, mode: MemoryMode) -> Iterator[None]:
        """Around whatever opens a session."""
        with self._timed("session", provider=provider, owner=self._pseudonyms.of(owner, mode)) as outcome:
            try:
                yield
            except Exception as exc:
                outcome["code"] = _code(exc)
                self.failures[provider, outcome["code"]] += 1
                raise
            self.opened[provider] += 1

    @contextmanager
    def calling(self, tool: str) -> Iterator[None]:
        """Around the call of a tool."""
        with self._timed("tool") as outcome:
            try:
                yield
            except Exception as exc:
                outcome["code"] = _code(exc)
                if outcome["code"] == UNKNOWN_TOOL:
                    tool = UNKNOWN_TOOL  # its name is whatever the caller wrote
                self.tool_calls[tool, FAILED] += 1
                raise
            else:
                self.tool_calls[tool, "completed"] += 1
            finally:
                outcome["name"] = tool

    def count(self, traffic: Traffic) -> None:
        """A request was answered."""
        self.bytes["in"] += traffic.received
        self.bytes["out"] += traffic.sent
        traffic.settle()

    def recorded(self, outcome: str, timings: Mapping[str, Any], *, kept: bool) -> None:
        """A turn came."""
        self.turns[outcome] += 1
        self.latencies.add(timings)
        tell("turn", outcome=outcome, kept=kept)

    @contextmanager
    def _timed(self, event: str, **fields: str) -> Iterator[dict[str, str]]:
        began = self._clock()
        outcome = {"code": OK}
        try:
            yield outcome
        finally:
            tell(event, ms=round((self._clock() - began) * 1000, 1), **outcome, **fields)

    def exposition(self) -> bytes:
        """All of it, as text."""
        registry = CollectorRegistry(auto_describe=False)
        registry.register(self)
        return generate_latest(registry)

    def collect(self) -> Iterable[Metric]:
        """As the registry asks."""
        sessions = CounterMetricFamily("realtime_sessions", "Sessions that were opened.", labels=["provider"])
        for provider, number in sorted(self.opened.items()):
            sessions.add_metric([provider], number)
        yield sessions
        for name, text, labels, numbers in (
            ("realtime_session_failures", "Sessions that were not.", ["provider", "reason"], self.failures),
            ("realtime_tool_calls", "Tool calls.", ["name", "status"], self.tool_calls),
        ):
            pairs = CounterMetricFamily(name, text, labels=labels)
            for values, number in sorted(numbers.items()):
                pairs.add_metric(values, number)
            yield pairs
        for name, text, label, counted in (
            ("realtime_turns", "Turns that came.", "outcome", self.turns),
            ("realtime_feedback", "How talks were found.", "feedback", self.feedback),
            ("realtime_bytes", "Bytes of requests (in) and answers (out).", "direction", self.bytes),
            ("couchvoice_audits", "What audits of turns have found, skipped, or failed at.", "result", self._audits),
        ):
            family = CounterMetricFamily(name, text, labels=[label])
            for value, number in sorted(counted.items()):
                family.add_metric([value], number)
            yield family
        yield self.latencies.family()
        yield CounterMetricFamily("realtime_barge_ins", "Answers that were spoken over.", self.turns["interrupted"])
        yield CounterMetricFamily("realtime_reconnects", "Sessions on a thread that had a live one.", self.reconnects)
        yield GaugeMetricFamily(
            "realtime_active_sessions", "Sessions that are alive in this process.", len(self._sessions.active())
        )
        yield GaugeMetricFamily("couchvoice_uptime_seconds", "Since the start.", self._clock() - self._started)


def tell(event: str, **fields: object) -> None:
    """One event, one line."""
    _events.info("%s", json.dumps({"time": datetime.now(UTC).isoformat(), "event": event, **fields}))


def _code(exc: Exception) -> str:
    if isinstance(exc, Refused | CouchvoiceError):
        return exc.code
    return HTTPStatus.INTERNAL_SERVER_ERROR.name.lower()
