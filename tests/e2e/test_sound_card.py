"""A talk through a sound card: somebody speaks into the microphone, the loudspeaker answers, Ctrl-C ends it."""

import asyncio
import json
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import numpy as np
import pytest

from couchvoice.local.engines.recordings import load_recordings
from tests.audio.pulse import ROOT, SoundSystem, sound_system
from tests.audio.tones import wav_bytes
from tests.patience import until

AUDIBLE = 1000  # of 32767
RATE = 16_000  # Hz, of what is recorded from the loudspeaker


@pytest.fixture(scope="module")
def sound():
    with sound_system() as system:
        yield system


@pytest.fixture
def question(tmp_path) -> Path:
    """The first utterance of the shipped talk as a file of its own."""
    hello = load_recordings([ROOT / "fixtures" / "first-talk.wav"])[0]
    path = tmp_path / "question.wav"
    path.write_bytes(wav_bytes(hello.samples / 32768, rate=hello.rate))
    return path


@asynccontextmanager
async def running(*command: str, environment: dict[str, str]) -> AsyncIterator[asyncio.subprocess.Process]:
    process = await asyncio.create_subprocess_exec(
        *command, env=environment, cwd=ROOT, stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def lines_until(process: asyncio.subprocess.Process, **wanted: object) -> list[dict[str, object]]:
    """The JSON lines up to the first that has these values."""
    lines = []
    async for line in process.stdout:
        lines.append(json.loads(line))
        if wanted.items() <= lines[-1].items():
            break
    return lines


@pytest.mark.timeout(60)
@pytest.mark.row("A10", "O4")
async def test_a_question_into_the_microphone_is_answered_by_the_loudspeaker(sound: SoundSystem, question, tmp_path):
    talk = [sys.executable, "-m", "couchvoice", "talk", "--input", "couch_mic", "--output", "couch_speaker", "--json"]
    environment = sound.environment | {"COUCHVOICE_STATE_DIR": str(tmp_path)}
    recorder = [
        "parec",
        "--device=spk.monitor",
        "--format=s16le",
        "--channels=1",
        f"--rate={RATE}",
        "--latency-msec=50",
    ]
    heard = bytearray()
    async with (
        running(*recorder, environment=environment) as loudspeaker,
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


async def keep(recorder: asyncio.subprocess.Process, heard: bytearray) -> None:
    while piece := await recorder.stdout.read(RATE):
        heard += piece


def loud_seconds(heard: bytearray) -> float:
    samples = np.frombuffer(bytes(heard[: len(heard) // 2 * 2]), np.int16)
    return np.count_nonzero(np.abs(samples.astype(np.int32)) > AUDIBLE) / RATE
