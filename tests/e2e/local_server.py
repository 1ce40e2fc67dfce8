"""``couchvoice serve realtime`` as a process, for clients that we did not write.

Law: it ends in order when the test is over, and its log tells of no failure.
"""

from __future__ import annotations

import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import numpy as np

from couchvoice.audio.frames import AudioFrame, silence
from couchvoice.local.engines.recordings import Recording
from couchvoice.local.resample import resample
from tests.apps.command import ROOT, Command, started
from tests.audio.tones import wav_bytes
from tests.patience import until

FIXTURES = ROOT / "fixtures"
KEY = "sk-of-the-test"

_TALKATIVE = {"COUCHVOICE_LOG": "info"}


class LocalServer:
    """``url`` is the base that a client is given."""

    def __init__(self, url: str, command: Command) -> None:
        self.url = url
        self._command = command

    async def notices_the_end_of(self, call_id: str) -> None:
        """Until it has noticed that the client is gone."""
        await until(lambda: f"- {call_id} is over" in self._command.stderr())


@asynccontextmanager
async def local_server() -> AsyncIterator[LocalServer]:
    """It knows the recordings of the fixtures, and one key."""
    options = ("--port", "0", "--recordings", str(FIXTURES), "--api-key", KEY)
    async with started("serve", "realtime", *options, environment=_TALKATIVE) as command:
        line = await command.line()
        assert line.startswith("ready "), command.stderr()
        yield LocalServer(f"{line.split()[1]}/v1", command)
        command.send(signal.SIGTERM)
        ended = await command.ended()
    assert ended.status == 0, ended.stderr
    assert not [line for line in ended.stderr.splitlines() if " x " in line], ended.stderr


def write_spoken(recording: Recording, path: Path, *, rate: int, lead: float = 0.0) -> Path:
    """A WAV of it, after so many seconds of silence."""
    said = resample(AudioFrame(recording.samples, recording.rate), rate).samples
    path.write_bytes(wav_bytes(np.concatenate([silence(round(lead * rate)), said]) / 32768, rate=rate))
    return path
