"""``report``: the page of a conversation of ten minutes, as a file and in Chromium, beside an empty page.

What counts is how large the file is, how long it takes to write, and how long until the page is drawn. Law: the page
holds both sounds whole and every event, or the figure is void.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from couchvoice.audio.wav import read_wav
from couchvoice.scenario.report import write_report
from couchvoice.scenario.talk_record import RawEvent, State, TalkRecord, ToolSpan, TurnEntry, Words
from tests.bench import provider_talk
from tests.bench.rounds import Figures, ratio, take_turns
from tests.e2e.chromium import chromium_page

MINUTES = 10
ROUNDS, QUICK_ROUNDS = 9, 3
TURN_SECONDS = 12.0
EVENTS = 30  # of a turn, as a provider sends them
FIXTURES = Path(__file__).parents[2] / "fixtures"
RATE = 48_000
GOAL = {"megabytes": 10, "open_ms": 1000}


def measure(*, quick: bool) -> dict[str, object]:
    talk = _talk(MINUTES * 60)
    with tempfile.TemporaryDirectory() as folder:
        page, empty = Path(folder) / "talk.html", Path(folder) / "empty.html"
        cpu, began = time.process_time(), time.perf_counter()
        write_report(page, [talk])
        written = {"cpu_s": round(time.process_time() - cpu, 2), "wall_s": round(time.perf_counter() - began, 2)}
        empty.write_text("<!doctype html><title>empty</title>")
        figures = asyncio.run(_opened(page, empty, QUICK_ROUNDS if quick else ROUNDS))
        size = round(page.stat().st_size / 1e6, 2)
    return {
        "minutes": MINUTES,
        "events": len(talk.of(RawEvent)),
        "megabytes": size,
        "write": written,
        **figures,
        "ratio": ratio(figures["page"], figures["empty"], "open_ms"),
        "goal": GOAL,
    }


async def _opened(page: Path, empty: Path, rounds: int) -> dict[str, Figures]:
    async with chromium_page() as browser:

        async def opened(path: Path) -> Figures:
            began = time.perf_counter()
            await browser.goto(path.as_uri())
            if path == page:
                drawn = "document.querySelectorAll('.events li').length && shown.timeline.pps"
                assert await browser.evaluate(drawn), "the page drew nothing"
            return {"open_ms": (time.perf_counter() - began) * 1000}

        return await take_turns({"page": lambda: opened(page), "empty": lambda: opened(empty)}, rounds)


def _talk(seconds: float) -> TalkRecord:
    """Speech on both sides in turns, and a provider's events."""
    sound = read_wav(FIXTURES / "first-talk.wav").samples
    whole = np.tile(sound, -(-round(seconds * RATE) // sound.size))[: round(seconds * RATE)]
    record = TalkRecord("ten minutes", "2026-11-29T20:00:00+00:00", said=whole, heard=np.roll(whole, RATE * 4))
    texts = provider_talk.messages()
    for number in range(int(seconds / TURN_SECONDS)):
        at = number * TURN_SECONDS
        record.entries += [State(at, "user_speaking"), State(at + 4, "assistant_speaking")]
        for event in range(EVENTS):
            text = texts[(number * EVENTS + event) % len(texts)]
            record.entries.append(RawEvent(at + event * TURN_SECONDS / EVENTS, "provider", text))
        record.entries.append(Words(at + 4, "user", "Hello, can you hear me? " * 3))
        record.entries.append(ToolSpan(at + 4, "lookup", f"call_{number}", "completed", until=at + 5))
        record.entries.append(Words(at + 8, "assistant", "Yes, I can hear you well. " * 6))
        record.entries.append(
            TurnEntry(at + 11, number + 1, "Hello.", "Yes.", "completed", True, (), {"response_ms": 800.0})
        )
    record.entries.sort(key=lambda entry: entry.at)
    print(f"{len(record.entries)} entries", file=sys.stderr)
    return record
