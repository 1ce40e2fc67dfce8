"""A talk through a sound card: somebody speaks into the microphone, the loudspeaker answers, Ctrl-C ends it."""

import asyncio
import signal
import sys
from pathlib import Path

import pytest

from tests.audio.pulse import SoundSystem, sound_system
from tests.e2e.sound_card import RECORDER, keep, lines_until, loud_seconds, running, write_question
from tests.patience import until


@pytest.fixture(scope="module")
def sound():
    with sound_system() as system:
        yield system


@pytest.fixture
def question(tmp_path) -> Path:
    return write_question(tmp_path / "question.wav")


@pytest.mark.timeout(60)
@pytest.mark.row("A10", "O4")
async def test_a_question_into_the_microphone_is_answered_by_the_loudspeaker(sound: SoundSystem, question, tmp_path):
    talk = [sys.executable, "-m", "couchvoice", "talk", "--input", "couch_mic", "--output", "couch_speaker", "--json"]
    environment = sound.environment | {"COUCHVOICE_STATE_DIR": str(tmp_path)}
    heard = bytearray()
    async with (
        running(*RECORDER, environment=environment) as loudspeaker,
        running(*talk, environment=environment) as talking,
    ):
        hearing = asyncio.create_task(keep(loudspeaker, heard))
        assert (await lines_until(talking, type="state", state="listening"))[-1]["state"] == "listening"
        async with running("paplay", "-d", "micfeed", str(question), environment=environment) as speaking:
            await speaking.wait()
        turn = (await lines_until(talking, type="turn"))[-1]
        # The recorder hands out what it has a while later.
        await until(lambda: loud_seconds(heard) > 0.2)
        talking.send_signal(signal.SIGINT)
        summary = (await lines_until(talking, type="summary"))[-1]
        assert await talking.wait() == 130
        loudspeaker.terminate()
        await hearing
    assert (turn["user_text"], turn["outcome"]) == ("Hello, can you hear me?", "completed")
    assert turn["assistant_text"] == "Yes, I can hear you well. How are you today?"
    assert (summary["turns"], summary["exit"]) == (1, 130)
