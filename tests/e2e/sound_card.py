"""A talk through a sound card, from outside: the command, who speaks to it, and what its loudspeaker says."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import numpy as np

from couchvoice.local.engines.recordings import load_recordings
from tests.audio.pulse import ROOT
from tests.audio.tones import wav_bytes

AUDIBLE = 1000  # of 32767
RATE = 16_000  # Hz, of what is recorded from the loudspeaker
RECORDER = [
    "parec",
    "--device=spk.monitor",
    "--format=s16le",
    "--channels=1",
    f"--rate={RATE}",
    "--latency-msec=50",
]


def write_question(path: Path) -> Path:
    """The first utterance of the shipped talk as a file of its own."""
    hello = load_recordings([ROOT / "fixtures" / "first-talk.wav"])[0]
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


async def keep(recorder: asyncio.subprocess.Process, heard: bytearray) -> None:
    while piece := await recorder.stdout.read(RATE):
        heard += piece


def samples_of(heard: bytearray) -> np.ndarray:
    return np.frombuffer(bytes(heard[: len(heard) // 2 * 2]), np.int16)


def loud_seconds(heard: bytearray) -> float:
    samples = samples_of(heard)
    return np.count_nonzero(np.abs(samples.astype(np.int32)) > AUDIBLE) / RATE
