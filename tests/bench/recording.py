"""``recording``: what it costs to write a talk down: CPU of the same talk with a tap and without, and its files.

On the media clock, where nothing else runs. Law: both talks say the same, or the figure is void.
"""

from __future__ import annotations

import os
import tempfile
import time
from pathlib import Path

from couchvoice.audio.sink import NullSink
from couchvoice.audio.source import SilentSource
from couchvoice.client.endpoints import Endpoints
from couchvoice.client.voice_session import VoiceSession
from couchvoice.core.notices import TurnRecorded
from couchvoice.embedded import embedded_ends
from couchvoice.scenario import media_clock
from couchvoice.scenario.recording import cassette_of
from couchvoice.scenario.talk_record import TalkRecord
from couchvoice.scenario.talk_tap import TalkTap
from couchvoice.settings import load_settings
from tests.bench.rounds import Figures, medians, ratio

LINES = ("Good morning.", "Is memory on?", "Good morning.")
ROUNDS, QUICK_ROUNDS = 9, 3
GOAL = {"ratio": 1.05}


def measure(*, quick: bool) -> dict[str, object]:
    rounds = QUICK_ROUNDS if quick else ROUNDS
    with tempfile.TemporaryDirectory() as folder:
        os.environ["COUCHVOICE_STATE_DIR"] = folder
        seen: dict[str, list[Figures]] = {"recorded": [], "bare": []}
        answers: set[tuple[str, ...]] = set()
        record: TalkRecord | None = None
        for number in range(rounds + 1):
            for name, tap in (("recorded", TalkTap("bench", clock="media", speed=None)), ("bare", None)):
                began = time.process_time()
                said = media_clock.run(_hold(tap))
                cpu = time.process_time() - began
                answers.add(said)
                if tap is not None:
                    record = tap.finish("passed")
                if number:  # the first round warms up
                    seen[name].append({"cpu_ms": cpu * 1000})
        assert len(answers) == 1, answers
        assert record is not None  # there is a round
        figures = {name: medians(several) for name, several in seen.items()}
        return {
            **figures,
            "ratio": ratio(figures["recorded"], figures["bare"], "cpu_ms"),
            "talk_s": round(record.seconds, 1),
            "files": _files(record, Path(folder)),
            "goal": GOAL,
        }


def _files(record: TalkRecord, folder: Path) -> dict[str, Figures]:
    figures: dict[str, Figures] = {}
    for name, save in (("record", record.save), ("cassette", lambda path: cassette_of(record).save(path))):
        began = time.process_time()
        save(folder / name)
        figures[name] = {
            "cpu_s": round(time.process_time() - began, 3),
            "kilobytes": round((folder / name).stat().st_size / 1000, 1),
        }
    return figures


async def _hold(tap: TalkTap | None) -> tuple[str, ...]:
    lines, said = iter(LINES), []
    async with embedded_ends(load_settings(), phrases=False) as ends:
        session = VoiceSession(
            Endpoints(**ends._asdict()), source=SilentSource(), sink=tap if tap is not None else NullSink(), tap=tap
        )
        if tap is not None:
            tap.begin()
        async with session:
            session.send_message(next(lines))
            async for notice in session:
                if tap is not None:
                    tap.notice(notice)
                if isinstance(notice, TurnRecorded):
                    said.append(notice.turn.assistant_text)
                    if (line := next(lines, None)) is None:
                        break
                    session.send_message(line)
    return tuple(said)
