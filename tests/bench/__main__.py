"""``python -m tests.bench`` lists the benchmarks; ``python -m tests.bench NAME [--quick]`` runs one.

A benchmark is a module with ``measure(quick=…)`` that returns its figures, and a line in the table below.
Law: stdout gets one JSON object and nothing else; whoever wants to see progress looks at stderr.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import platform
from importlib.metadata import version

BENCHMARKS = {
    "backend": "turns, tool calls and sessions of 50 talks at once by database, beside a bare FastAPI app",
    "connect": "connect() to the open data channel, beside a bare aiortc script",
    "core": "µs per server event: parse and Session.receive, beside json.loads",
    "cpu": "percent of a core for a call with sound both ways, beside a bare aiortc script",
    "drift": "an hour with a card that is 200 ppm too fast or too slow, beside stock aiortc",
    "echo": "dB of echo taken away, double talk, false turns and µs per frame by policy, beside bare AEC3 and none",
    "latency": "microphone to wire and wire to loudspeaker, beside a bare aiortc script with queues",
    "memory": "a client in a talk, beside a bare aiortc script; and with both ends embedded",
    "memory_recall": "p50 and p99 of finding 5 of 100,000 facts by full text, on both databases, beside a LIKE scan",
    "receive": "PESQ, STOI, delay under loss and jitter, beside stock aiortc and Chromium (--quick: < 3 min)",
    "recording": "CPU of a talk that is written down, beside the same talk bare; its record and its cassette",
    "report": "the page of a ten-minute talk: its size, and the time to open it in Chromium",
    "server": "a call's CPU, calls held per core, speech end to first sound, events, beside bare aiortc",
    "speedup": "talks on the media clock, beside the same ones in real time: media seconds per second of a core's",
    "startup": "--help, the import, and talk until it listens, beside bare programs",
}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description="Figures beside their baselines.")
    parser.add_argument("name", nargs="?", choices=sorted(BENCHMARKS), help="leave it out to list them")
    parser.add_argument("--quick", action="store_true", help="fewer rounds: under 50 seconds, or as the benchmark says")
    options = parser.parse_args()
    if options.name is None:
        for name, line in BENCHMARKS.items():
            print(f"{name:<14}{line}")
        return
    figures = importlib.import_module(f"tests.bench.{options.name}").measure(quick=options.quick)
    print(json.dumps({"benchmark": options.name, "quick": options.quick, "machine": _machine()} | figures, indent=2))


def _machine() -> dict[str, str | int | None]:
    return {
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "cores": os.cpu_count(),
        "aiortc": version("aiortc"),
    }


if __name__ == "__main__":
    main()
