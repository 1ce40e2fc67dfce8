"""A talk with both offline ends in this process, written down by a tap."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from couchvoice.audio.source import SilentSource
from couchvoice.audio.wav import WavSource
from couchvoice.client.endpoints import Endpoints
from couchvoice.client.voice_session import VoiceSession
from couchvoice.contract import SessionRequest
from couchvoice.core.notices import TurnRecorded
from couchvoice.embedded import embedded_ends
from couchvoice.scenario.talk_record import TalkRecord
from couchvoice.scenario.talk_tap import TalkTap
from couchvoice.settings import load_settings

QUESTION = "Good morning."
ANSWER = "Yes, I can hear you well."


async def hold_talk(
    *typed: str, wav: Path | None = None, turns: int | None = None, name: str = "greeting", **options: Any
) -> TalkRecord:
    """Type each line when the talk is quiet, after the WAV was heard; until so many turns were recorded."""
    recordings: Sequence[Path] = [wav] if wav else ()
    async with embedded_ends(load_settings(), recordings=recordings) as ends:
        return await hold_talk_at(Endpoints(**ends._asdict()), *typed, wav=wav, turns=turns, name=name, **options)


async def hold_talk_at(
    endpoints: Endpoints,
    *typed: str,
    wav: Path | None = None,
    turns: int | None = None,
    name: str = "greeting",
    thread: str = "thread_of_the_test",
    keep_back: Mapping[str, str] = {},
) -> TalkRecord:
    """As ``hold_talk``, with ends that are there already."""
    tap = TalkTap(name)
    for kind, text in {"thread": thread, **keep_back}.items():
        tap.keep_back(kind, text)
    session = VoiceSession(
        endpoints,
        SessionRequest(thread_id=thread),
        source=WavSource(wav) if wav else SilentSource(),
        sink=tap,
        tap=tap,
    )
    lines = iter(typed)
    owed = turns if turns is not None else len(typed)
    tap.begin()
    watching = asyncio.create_task(_watch(session, tap, lines, owed), name="watch")
    try:
        async with session:
            if wav is None and (line := next(lines, None)) is not None:
                tap.step(f"type {line}", "greeting.yaml:3")
                session.send_message(line)
            await watching
    finally:
        watching.cancel()
    return tap.finish("passed" if session.error is None else "broken", str(session.error or "") or None)


async def _watch(session: VoiceSession, tap: TalkTap, lines: Any, owed: int) -> None:
    async for notice in session:
        tap.notice(notice)
        if isinstance(notice, TurnRecorded):
            owed -= 1
            if (line := next(lines, None)) is not None:
                tap.step(f"type {line}")
                session.send_message(line)
            if owed <= 0:
                return
