"""A session against our own two ends: what is changed in it is honoured by a server that was not told by the test."""

from __future__ import annotations

import functools
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pytest

from couchvoice.audio.sink import NullSink
from couchvoice.audio.source import SilentSource, Source
from couchvoice.audio.wav import WavSource
from couchvoice.client.endpoints import Endpoints
from couchvoice.client.voice_session import VoiceSession
from couchvoice.contract import MemoryMode, SessionRequest
from couchvoice.core.notices import AssistantTranscript, Notice, StateChanged, TurnRecorded
from couchvoice.core.state import SessionState
from couchvoice.embedded import embedded_ends, new_voice
from couchvoice.errors import BackendError, UpdateRefused
from couchvoice.local.engines.recordings import load_recordings
from couchvoice.settings import load_settings
from tests.audio.tones import wav_bytes

pytestmark = pytest.mark.timeout(60)

FIRST_TALK = Path(__file__).parents[2] / "fixtures" / "first-talk.wav"
QUESTION = "Good morning."
ANSWER = "Yes, I can hear you well."

Kind = TypeVar("Kind", bound=Notice)


@pytest.fixture
def spoken(tmp_path: Path) -> Path:
    """The first utterance of the shipped talk, with its text beside it."""
    known = load_recordings([FIRST_TALK])[0]
    path = tmp_path / "spoken.wav"
    path.write_bytes(wav_bytes(np.concatenate([known.samples / 32768, np.zeros(known.rate // 5)]), rate=known.rate))
    path.with_suffix(".txt").write_text(known.text + "\n", encoding="utf-8")
    return path


@asynccontextmanager
async def talking(source: Source | None = None, *recordings: Path, **options: Any) -> AsyncIterator[VoiceSession]:
    async with (
        embedded_ends(load_settings(), recordings=recordings, phrases=not recordings) as ends,
        VoiceSession(Endpoints(**ends._asdict()), source=source or SilentSource(), sink=NullSink(), **options) as talk,
    ):
        yield talk


async def until_told(session: VoiceSession, kind: type[Kind], seen: list[Notice] | None = None) -> Kind:
    async for notice in session:
        if seen is not None:
            seen.append(notice)
        if isinstance(notice, kind):
            return notice
    raise AssertionError(f"the talk ended without {kind.__name__}: {session.error}")


@pytest.mark.row("D11", "I1")
async def test_what_is_said_with_the_button_down_is_understood_and_answered(spoken: Path):
    source = WavSource(spoken)
    async with talking(source, spoken) as session:
        await session.set_turn_detection(None)
        async with session.speaking():
            await session.finished_speaking()
        turn = (await until_told(session, TurnRecorded)).turn
    assert turn.user_text == spoken.with_suffix(".txt").read_text(encoding="utf-8").strip()
    assert turn.assistant_text.startswith(ANSWER)


@pytest.mark.row("D11")
async def test_with_the_button_up_nobody_is_heard(spoken: Path):
    source = WavSource(spoken)
    async with talking(source, spoken) as session:
        await session.set_turn_detection(None)
        await session.finished_speaking()
        async with session.speaking():
            pass  # too short for words
        await session.quiet()
        assert session.transcript == ()


@pytest.mark.row("D9", "E8", "O9")
async def test_the_next_answer_is_written_or_spoken_as_was_asked_last():
    async with talking() as session:
        seen: list[Notice] = []
        await session.set_modalities("text")
        session.send_message(QUESTION)
        turn = (await until_told(session, TurnRecorded, seen)).turn
        assert (turn.user_text, turn.assistant_text.startswith(ANSWER)) == (QUESTION, True)
        assert StateChanged(SessionState.ASSISTANT_SPEAKING) not in seen
        assert session.usage.output_audio_tokens == 0
        await session.set_modalities("audio")
        session.send_message(QUESTION)
        await until_told(session, TurnRecorded, seen)
        assert StateChanged(SessionState.ASSISTANT_SPEAKING) in seen
        assert session.usage.responses == 2
        assert session.usage.output_audio_tokens > 0


@pytest.mark.row("E10")
async def test_a_written_answer_is_spoken_here_and_its_turn_ends_with_the_sound():
    speak: Callable[[str], Awaitable[Any]] = functools.partial(new_voice().speak, voice="alloy")
    async with talking(speak_text=speak) as session:
        seen: list[Notice] = []
        await session.set_modalities("text")
        session.send_message(QUESTION)
        await until_told(session, TurnRecorded, seen)
        assert StateChanged(SessionState.ASSISTANT_SPEAKING) in seen
        assert session.playout is not None
        heard_ms = session.playout.played_ms
        assert heard_ms > 500
        (words,) = [notice.text for notice in seen if isinstance(notice, AssistantTranscript) and notice.final]
        assert heard_ms < 200 * len(words)  # not with the provider's silence between


@pytest.mark.row("D9", "D10")
async def test_what_the_server_does_not_take_leaves_the_session_as_it_was():
    async with talking() as session:
        with pytest.raises(UpdateRefused):
            await session.set_turn_detection({"type": "telepathy"})
        await session.set_speed(1.5)
        session.send_message(QUESTION)
        assert (await until_told(session, TurnRecorded)).turn.assistant_text.startswith(ANSWER)


@pytest.mark.row("D9")
async def test_the_backend_changes_the_voice_before_the_first_sound():
    async with talking() as session:
        await session.configure(voice="sage")
        session.send_message(QUESTION)
        assert (await until_told(session, TurnRecorded)).turn.assistant_text.startswith(ANSWER)


@pytest.mark.row("L10", "D9")
async def test_a_talk_is_switched_to_another_mode_before_and_after_its_first_sound():
    async with talking() as session:
        await session.configure(mode="listener")
        assert await typed(session, "Let us do a breathing exercise.") == "I have no exercises here."
        await session.configure(mode="guide")  # its voice comes too late, all else holds
        assert "Tell me when you are ready." in await typed(session, "Let us do a breathing exercise.")
        with pytest.raises(BackendError, match="companion, guide, listener"):
            await session.configure(mode="pirate")


async def typed(session: VoiceSession, text: str) -> str:
    """The answer to a typed line, when its turn was recorded."""
    session.send_message(text)
    return (await until_told(session, TurnRecorded)).turn.assistant_text


@pytest.mark.row("D7")
async def test_a_talk_goes_on_with_what_its_thread_was_about(tmp_path: Path):
    async def talk(text: str, *, mode: MemoryMode, thread: str = "t1") -> str:
        request = SessionRequest(thread_id=thread, memory_mode=mode)
        async with VoiceSession(
            Endpoints(**ends._asdict()), request, source=SilentSource(), sink=NullSink()
        ) as session:
            await session.set_modalities("text")
            return await typed(session, text)

    async with embedded_ends(load_settings()) as ends:
        await talk("I have a zebra with a cough.", mode="persistent")
        known = await talk("What did we talk about last time?", mode="persistent")
        elsewhere = await talk("What did we talk about last time?", mode="persistent", thread="t2")
        incognito = await talk("What did we talk about last time?", mode="incognito")
    assert "I have a zebra with a cough." in known
    assert "zebra" not in elsewhere + incognito
