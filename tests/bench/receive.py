"""``receive``: how received speech sounds, and how late it comes: stock aiortc, ours, and Chromium on the same packets.

Stock and ours run on a virtual clock, Chromium in real time; each figure is the median of several seeds (texts, voices
and losses). Ratios above 1 are good for PESQ and bad for delays. ``--quick``: one seed and the conditions of QUICK.
Needs the extra ``bench``, espeak-ng, and for the third receiver Chromium.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import statistics
import sys
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor

from tests.bench import chromium_receiver, listening, our_receiver, stock_receiver
from tests.bench.heard import Heard
from tests.bench.rounds import Figures
from tests.bench.speech import spoken
from tests.bench.trace import CONDITIONS, NETWORK_DELAY, Trace, record

SEEDS = 5
QUICK_SEEDS = 1
QUICK = ("clean", "loss5", "loss5_fec", "loss10", "loss10_fec", "jitter50", "stall300")
LOOK_AHEAD = 0.0065  # seconds: RFC 6716 §2, of the encoder
BACK_WITHIN = 0.02  # seconds: a frame more than before an incident counts as the same delay

VIRTUAL: dict[str, Callable[[Trace], Heard]] = {"stock": stock_receiver.receive, "ours": our_receiver.receive}
GOAL = {
    "clean": {"added_ms": 40.0},
    "loss5": {"missing_per_lost": 1.0, "pesq_to_chromium": 0.95},
    "loss10": {"missing_per_lost": 1.0, "pesq_to_chromium": 0.95},
    "loss5_fec": {"missing_per_lost": 0.3, "pesq_to_chromium": 1.0},
    "loss10_fec": {"missing_per_lost": 1.0, "pesq_to_chromium": 1.0},
    "outage300": {"back_s": 5.0, "delay_to_chromium": 1.2},
    "stall300": {"back_s": 5.0, "delay_to_chromium": 1.2},
}

Key = tuple[str, int]  # condition and seed
Columns = dict[str, Figures]


def measure(*, quick: bool) -> dict[str, object]:
    names, seeds = (QUICK, QUICK_SEEDS) if quick else (tuple(CONDITIONS), SEEDS)
    speeches = {seed: spoken(seed) for seed in range(1, seeds + 1)}
    traces = {
        (name, seed): record(CONDITIONS[name], speech, seed=seed) for name in names for seed, speech in speeches.items()
    }
    return {
        "conditions": {name: columns | _ratios(columns) for name, columns in _columns(traces).items()},
        "seeds": seeds,
        "seconds": round(statistics.fmean(len(trace.packets) for trace in traces.values()) / 50, 1),
        "goal": {name: GOAL[name] for name in names if name in GOAL},
    }


def judged(trace: Trace, heard: Heard) -> Figures:
    """All that is to be said of one hearing. A figure that makes no sense under the trace's condition is left out."""
    found = listening.delays(trace.speech, heard)
    median = listening.percentile(found, 50)
    figures = {
        "pesq": listening.pesq(trace.speech, heard, found),
        "stoi": listening.stoi(trace.speech, heard, found),
        "delay_p50_ms": 1000 * median,
        "delay_p95_ms": 1000 * listening.percentile(found, 95),
        "added_ms": 1000 * (median - NETWORK_DELAY - LOOK_AHEAD),
        "missing": heard.missing,
    }
    if "sent_late_ms" in heard.details:
        figures["sent_late_ms"] = heard.details["sent_late_ms"]
    if trace.lost:
        figures["missing_per_lost"] = heard.missing / trace.lost
    if trace.resumes is not None:
        figures["back_s"] = listening.back_after(found, resumes=trace.resumes, within=BACK_WITHIN)
    return figures


def _columns(traces: dict[Key, Trace]) -> dict[str, Columns]:
    """By condition and receiver, the medians of the seeds."""
    seen: dict[tuple[str, str], list[Figures]] = {}
    with ProcessPoolExecutor(max_workers=os.cpu_count()) as pool:
        # Chromium first, and nothing beside it: it lives in real time.
        jobs = [(key, "chromium", pool.submit(judged, traces[key], heard)) for key, heard in _by_chromium(traces)]
        for receiver, receive in VIRTUAL.items():
            jobs += [(key, receiver, pool.submit(_heard_and_judged, receive, trace)) for key, trace in traces.items()]
        for (name, seed), receiver, job in jobs:
            figures = job.result()
            seen.setdefault((name, receiver), []).append(figures)
            line = "  ".join(f"{key} {figure:.2f}" for key, figure in figures.items())
            print(f"{name:<13}{seed:>2} {receiver:<9}{line}", file=sys.stderr)
    columns: dict[str, Columns] = {name: {} for name, _ in traces}
    for name, receiver in sorted(seen, key=lambda pair: pair[1], reverse=True):
        columns[name][receiver] = _medians(seen[name, receiver])
    return columns


def _by_chromium(traces: dict[Key, Trace]) -> Iterable[tuple[Key, Heard]]:
    if shutil.which(chromium_receiver.PROGRAM) is None:
        print("no Chromium: apt-get install chromium; its column is left out", file=sys.stderr)
        return []
    return list(asyncio.run(chromium_receiver.receive(traces)).items())


def _heard_and_judged(receive: Callable[[Trace], Heard], trace: Trace) -> Figures:
    return judged(trace, receive(trace))


def _medians(several: list[Figures]) -> Figures:
    """Of those seeds that have the figure: of one packet in a hundred none may be lost."""
    keys = dict.fromkeys(key for figures in several for key in figures)
    return {key: round(statistics.median(each[key] for each in several if key in each), 3) for key in keys}


def _ratios(columns: Columns) -> Columns:
    ours = columns["ours"]
    return {
        "ratio": {
            f"{figure.partition('_')[0]}_to_{other}": round(ours[figure] / columns[other][figure], 3)
            for other in ("stock", "chromium")
            if other in columns
            for figure in ("pesq", "delay_p50_ms")
        }
    }
