"""The command ``couchvoice talk --json`` as a process, with a WAV at each end, and what it printed.

Law: it gets nothing of the test's environment that names a provider; it is killed when it takes too long.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import wave
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

RATE = 24_000  # Hz
LEAD = 1.0  # seconds of silence before the first utterance
UTTERANCE = 0.5  # seconds
PITCH = 220.0  # Hz
SYLLABLES = 4.0  # per second
LEVEL = 0.25 * 32767  # -12 dB
LOUD = 0.01 * 32767  # RMS: -40 dB
TALK_TIMEOUT = 45.0  # seconds
ROOT = Path(__file__).parents[2]
API_KEY = "sk-must-never-leave-the-process"


@dataclass(frozen=True, slots=True)
class Talk:
    """What one run of the command said."""

    status: int
    lines: list[dict[str, Any]]
    stdout: str
    stderr: str
    sound: Path

    def of(self, kind: str) -> list[dict[str, Any]]:
        return [line for line in self.lines if line["type"] == kind]

    @property
    def summary(self) -> dict[str, Any]:
        assert self.lines[-1]["type"] == "summary", self.stdout
        return self.lines[-1]

    @property
    def states(self) -> list[str]:
        return [line["state"] for line in self.of("state")]

    def finals(self, kind: str) -> list[str]:
        """The final texts of one side."""
        return [line["text"] for line in self.of(f"{kind}_transcript") if line["final"]]


async def talk(
    *,
    backend: str,
    realtime: str,
    directory: Path,
    starts: Sequence[float] = (LEAD,),
    after: float = 3.0,
    options: Sequence[str] = (),
) -> Talk:
    """Run it with an utterance at each of ``starts`` (seconds) and this much silence after the last."""
    spoken, sound = directory / "spoken.wav", directory / "heard.wav"
    write_utterances(spoken, starts=starts, seconds=starts[-1] + UTTERANCE + after)
    ends = ("--backend", backend, "--realtime-url", realtime, "--input", str(spoken), "--output", str(sound))
    arguments = (sys.executable, "-m", "couchvoice", "talk", *ends, "--json", *options)
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        *arguments,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=pipe,
        stderr=pipe,
        cwd=directory,
        env=_environment(directory),
    )
    try:
        async with asyncio.timeout(TALK_TIMEOUT):
            stdout, stderr = (text.decode() for text in await process.communicate())
    finally:
        if process.returncode is None:
            process.kill()
            await process.communicate()
    assert process.returncode is not None  # communicate() returned
    lines = [json.loads(line) for line in stdout.splitlines()]
    return Talk(process.returncode, lines, stdout, stderr, sound)


def write_utterances(path: Path, *, starts: Sequence[float], seconds: float) -> None:
    """Tones with the rhythm of speech: a foreign end hears energy, not words."""
    samples = np.zeros(int(seconds * RATE))
    at = np.arange(int(UTTERANCE * RATE)) / RATE
    tone = np.sin(2 * np.pi * PITCH * at) * np.abs(np.sin(np.pi * SYLLABLES * at))
    for start in starts:
        begin = int(start * RATE)
        samples[begin : begin + len(tone)] = LEVEL * tone
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(samples.astype("<i2").tobytes())


def loud_ms(path: Path) -> int:
    """How much of a mono 16-bit WAV is not silence."""
    with wave.open(str(path), "rb") as file:
        assert (file.getnchannels(), file.getsampwidth()) == (1, 2)
        block = file.getframerate() // 100
        samples = np.frombuffer(file.readframes(file.getnframes()), dtype="<i2").astype(np.float64)
    blocks = samples[: len(samples) // block * block].reshape(-1, block)
    return int(np.sum(np.sqrt(np.mean(blocks**2, axis=1)) > LOUD)) * 10


def _environment(directory: Path) -> dict[str, str]:
    foreign = ("COUCHVOICE_", "OPENAI_", "AZURE_", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")
    kept = {name: value for name, value in os.environ.items() if not name.upper().startswith(foreign)}
    paths = {
        "PYTHONPATH": str(ROOT),
        "COUCHVOICE_STATE_DIR": str(directory),
        "COUCHVOICE_CONFIG": os.devnull,
    }
    # A key lies about, as on a developer's machine: no request may carry it.
    return kept | paths | {"OPENAI_API_KEY": API_KEY, "NO_PROXY": "127.0.0.1"}
