"""``speedup``: scripted talks on the media clock, beside the same in real time, with equal words, tools and turns.

A core's share is what counts: media seconds for each second of CPU that both ends, and the voices that they start,
have used; what the machine does beside is in no figure. Law: a talk whose words, tools or turns differ from those of
real time gives no figure, it ends the benchmark.
"""

from __future__ import annotations

import asyncio
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass
from pathlib import Path

from couchvoice.scenario.media_clock import run
from tests.bench.child import ROOT
from tests.scenario.paced_talks import TALKS, Held, PacedTalk, cpu_seconds, hold

ROUNDS = 3
QUICK_ROUNDS = 1
MINUTE = 60  # seconds
GOAL = {"per_core": 10.0}
QUICK_TALKS = ("barge-in", "remembered", "typed")  # under 20 s each
AT_ONCE = 3  # in real time: more would be late on a busy machine
TRIES = 3  # in real time, which a busy machine may spoil: then the same talk has to be held again
ALONE = "two-tools"  # the talk that a process of its own holds
_ALONE = """
import sys
from pathlib import Path
from tests.scenario.paced_talks import TALKS, held_at
print(held_at(TALKS[sys.argv[1]], Path(sys.argv[2]), speed=None).media)
"""


class DifferentTalk(Exception):
    """It went otherwise than in real time, or than before: its name, and what differs."""


@dataclass(frozen=True, slots=True)
class _Paced:
    """One talk at one speed."""

    held: Held
    wall: float  # seconds


def measure(*, quick: bool) -> dict[str, object]:
    rounds = QUICK_ROUNDS if quick else ROUNDS
    talks = [talk for talk in TALKS.values() if not quick or talk.name in QUICK_TALKS]
    slow, slow_cpu = _in_real_time(talks)
    media = sum(one.held.media for one in slow.values())
    fast = {talk.name: [_fast(talk) for _ in range(rounds)] for talk in talks}
    again = _compare(slow, fast)
    cpu = sum(_cpu(paced) for paced in fast.values())
    fast_media = sum(_media(paced) for paced in fast.values())
    return {
        "equal": True,
        "held_again_in_real_time": again,
        "rounds": rounds,
        "talks": {name: _figures(slow[name], paced) for name, paced in fast.items()},
        "real_time": {
            "cpu_percent_of_a_talk": round(100 * slow_cpu / media, 1),
            "per_core": round(media / slow_cpu, 1),
        },
        "media_clock": {
            "per_core": round(fast_media / cpu, 1),
            "talks_per_core_minute": round(MINUTE * len(fast) / cpu, 1),
            "alone_with_imports_per_core": _alone(),
        },
        "goal": GOAL,
        "ratio": round(fast_media / cpu, 1),
    }


def _figures(slow: _Paced, fast: list[_Paced]) -> dict[str, float]:
    """``ratio``: how long the talk takes in real time, to the CPU that it takes on the media clock."""
    wall = statistics.median(one.wall for one in fast)
    return {
        "media_s": round(_media(fast), 2),
        "cpu_s": round(_cpu(fast), 2),
        "wall_s": round(wall, 2),
        "real_time_s": round(slow.wall, 2),
        "per_core": round(_media(fast) / _cpu(fast), 1),
        "ratio": round(slow.held.media / _cpu(fast), 1),
    }


def _media(paced: list[_Paced]) -> float:
    return statistics.median(one.held.media for one in paced)


def _cpu(paced: list[_Paced]) -> float:
    return statistics.median(one.held.cpu for one in paced)


def _compare(slow: dict[str, _Paced], fast: dict[str, list[_Paced]]) -> int:
    """How many talks had to be held again in real time. Raises DifferentTalk."""
    tries = 0
    for name, paced in fast.items():
        (what, *others) = {one.held.what for one in paced}
        for _ in range(TRIES):
            if others or slow[name].held.what == what:
                break
            tries += 1
            slow |= _in_real_time([TALKS[name]])[0]
        if others or slow[name].held.what != what:
            raise DifferentTalk(name, *set(slow[name].held.what).symmetric_difference(what, *others))
    return tries


def _in_real_time(talks: Sequence[PacedTalk]) -> tuple[dict[str, _Paced], float]:
    """A few at the same time, and what CPU all took together."""
    before, held = cpu_seconds(), {}
    for start in range(0, len(talks), AT_ONCE):
        some = talks[start : start + AT_ONCE]
        print(f"in real time: {', '.join(talk.name for talk in some)}", file=sys.stderr)
        with tempfile.TemporaryDirectory() as state:
            held |= run(_hold_all(some, Path(state)), speed=1)
    return held, cpu_seconds() - before


async def _hold_all(talks: Sequence[PacedTalk], state: Path) -> dict[str, _Paced]:
    async def timed(talk: PacedTalk) -> _Paced:
        folder = state / talk.name
        folder.mkdir()
        return await _timed(hold(talk, folder))

    held = await asyncio.gather(*map(timed, talks))
    return {talk.name: one for talk, one in zip(talks, held, strict=True)}


def _fast(talk: PacedTalk) -> _Paced:
    with tempfile.TemporaryDirectory() as state:
        paced = run(_timed(hold(talk, Path(state))))
    print(f"{talk.name}: {paced.held.media / paced.held.cpu:.1f}", file=sys.stderr)
    return paced


async def _timed(talk: Coroutine[None, None, Held]) -> _Paced:
    began = time.perf_counter()
    return _Paced(await talk, time.perf_counter() - began)


def _alone() -> float:
    """With Python's start, all imports and the engines' beginning: what a command that holds one talk costs."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    with tempfile.TemporaryDirectory() as state:
        program = (sys.executable, "-c", _ALONE, ALONE, state)
        told = subprocess.run(program, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return round(float(told) / spent, 1)
