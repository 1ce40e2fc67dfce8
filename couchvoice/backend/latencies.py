"""How long talks keep their users waiting, as their clients have measured it: histograms for Prometheus.

Law: a figure is a number of a known name; whatever else stands among a turn's timings is left out.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections import Counter
from collections.abc import Mapping
from typing import Any

from prometheus_client.metrics_core import HistogramMetricFamily

# What a client calls it, and what the label says.
STAGES = {
    "connect_ms": "connect",
    "first_transcript_ms": "first_transcript",
    "stt_ms": "transcription",
    "response_ms": "response",
    "typed_response_ms": "typed_response",
    "stop_ms": "barge_in_stop",
    "tool_ms": "tool",
}
BOUNDS = (0.05, 0.1, 0.2, 0.3, 0.5, 0.8, 1.0, 1.5, 2.5, 5.0, 10.0, 30.0, math.inf)  # seconds
_LONGEST = 3600.0  # seconds; who claims more has no clock


class Latencies:
    def __init__(self) -> None:
        self._counts: dict[str, Counter[float]] = {stage: Counter() for stage in STAGES.values()}  # by bound
        self._sums = dict.fromkeys(STAGES.values(), 0.0)  # seconds

    def add(self, timings: Mapping[str, Any]) -> None:
        """Those of a turn."""
        for name, stage in STAGES.items():
            if (seconds := _seconds(timings.get(name))) is not None:
                self._counts[stage][BOUNDS[bisect_left(BOUNDS, seconds)]] += 1
                self._sums[stage] += seconds

    def family(self) -> HistogramMetricFamily:
        family = HistogramMetricFamily(
            "realtime_latency_seconds", "As the clients of recorded turns have measured it.", labels=["stage"]
        )
        for stage, counts in self._counts.items():
            reached, buckets = 0, []
            for bound in BOUNDS:
                reached += counts[bound]
                buckets.append(("+Inf" if math.isinf(bound) else str(bound), reached))
            family.add_metric([stage], buckets, sum_value=self._sums[stage])
        return family


def _seconds(ms: object) -> float | None:
    if isinstance(ms, bool) or not isinstance(ms, int | float) or not 0 <= ms <= _LONGEST * 1000:
        return None
    return ms / 1000
