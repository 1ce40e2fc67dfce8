"""Mute against our own two ends: what the server hears of it, and what goes on."""

from __future__ import annotations

import asyncio

import numpy as np
import pytest

from couchvoice.audio.frames import SAMPLE_RATE, AudioFrame, is_audible, silence
from couchvoice.audio.sink import NullSink
from couchvoice.audio.source import SilentSource
from couchvoice.client.endpoints import Endpoints
from couchvoice.client.voice_session import VoiceSession
from couchvoice.core.notices import AssistantTranscript, MuteChanged, Notice, TurnRecorded, UserTranscript
from couchvoice.embedded import embedded_ends
from couchvoice.local.engines.recordings import load_recordings
from couchvoice.local.performer import Performer
from couchvoice.settings import load_settings
from tests.local.speech import FIXTURES
from tests.patience import until

FRAME = 40  # ms
CODEC_SILENCE = 4  # of 32767: what Opus makes of zeros
GREETING = load_recordings([FIXTURES / "first-talk.wav"])[0]


class Mouth(SilentSource):
    """Says what it is told, in frames of 40 ms at the recording's own rate; silence before and after."""

    def __init__(self) -> None:
        super().__init__()
        self.unsaid = silence(0)

    async def read(self) -> AudioFrame:
        for _ in range(FRAME // 20):
            await super().read()
        size = GREETING.rate * FRAME // 1000
        head, self.unsaid = self.unsaid[:size], self.unsaid[size:]
        return AudioFrame(np.concatenate([head, silence(size - head.size)]), GREETING.rate)

    async def say(self) -> None:
        """Return when it has been said."""
        self.unsaid = GREETING.samples
        await until(lambda: not self.unsaid.size, within=20)


@pytest.mark.row("B5")
@pytest.mark.timeout(60)
async def test_who_is_muted_is_not_heard_and_once_unmuted_answered_in_the_same_talk(monkeypatch: pytest.MonkeyPatch):
    heard: list[np.ndarray] = []
    hear = Performer.hear

    def overhear(performer: Performer, frame: AudioFrame) -> None:
        heard.append(frame.samples)
        hear(performer, frame)

    monkeypatch.setattr(Performer, "hear", overhear)
    source, statuses, seen = Mouth(), [], []
    async with (
        embedded_ends(load_settings(), recordings=[FIXTURES / "first-talk.wav"], phrases=False) as ends,
        VoiceSession(
            Endpoints(**ends._asdict()),
            source=source,
            sink=NullSink(),
            auto_connect=False,
            on_connection_change=statuses.append,
        ) as session,
    ):
        session.mute()
        await session.connect()
        watching = asyncio.create_task(_watch(session, seen))
        await source.say()
        assert session.muted
        assert len(heard) * 20 > GREETING.samples.size * 1000 / GREETING.rate - 500
        assert np.abs(np.concatenate(heard)).max() <= CODEC_SILENCE
        assert session.transcript == ()

        session.unmute()
        await source.say()
        await until(lambda: session.is_speaking, within=10)
        session.mute()
        await until(lambda: _of(seen, TurnRecorded), within=10)
        await session.disconnect()
        await watching
    (turn,) = [notice.turn for notice in _of(seen, TurnRecorded)]
    assert (turn.user_text, turn.outcome.value) == (GREETING.text, "completed")
    assert [words.interrupted for words in _of(seen, AssistantTranscript) if words.final] == [False]
    assert [words.text for words in _of(seen, UserTranscript) if words.final] == [GREETING.text]
    assert statuses == ["connecting", "connected", "disconnected"]
    assert [notice.muted for notice in _of(seen, MuteChanged)] == [True, False, True]


def test_the_test_would_notice_words():
    assert is_audible(GREETING.samples)
    assert GREETING.rate != SAMPLE_RATE


async def _watch(session: VoiceSession, seen: list[Notice]) -> None:
    async for notice in session:
        seen.append(notice)  # noqa: PERF401  # the test looks at it meanwhile


def _of(seen: list[Notice], kind: type) -> list:
    return [notice for notice in seen if isinstance(notice, kind)]
