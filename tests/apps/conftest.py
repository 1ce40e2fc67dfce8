"""What the tests of the apps talk to: short WAVs, and the local Realtime server as a process of its own."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import numpy as np
import pytest

from couchvoice.local.engines.recordings import load_recordings
from tests.apps.command import PROGRAM, ROOT
from tests.audio.tones import wav_bytes

# Under nohup, or in a service, the test run may have been told to ignore it; its children would, too.
signal.signal(signal.SIGHUP, signal.SIG_DFL)


LEAD = 0.3  # seconds of silence before the words
TAIL = 1.0  # seconds of silence after them
LONG = 60.0  # seconds, longer than any test
API_KEY = "the-key-of-the-tests"

_RATE = 8_000  # Hz, of silence
_TOOL = {"type": "function", "name": "show_memory_status", "parameters": {"type": "object", "properties": {}}}


@pytest.fixture
def hello(tmp_path: Path) -> Path:
    """The first utterance of the shipped talk, with its text beside it."""
    known = load_recordings([ROOT / "fixtures" / "first-talk.wav"])[0]
    samples = known.samples / 32768
    silence = [np.zeros(round(seconds * known.rate)) for seconds in (LEAD, TAIL)]
    path = tmp_path / "hello.wav"
    path.write_bytes(wav_bytes(np.concatenate([silence[0], samples, silence[1]]), rate=known.rate))
    path.with_suffix(".txt").write_text(known.text + "\n", encoding="utf-8")
    return path


@pytest.fixture
def still(tmp_path: Path) -> Path:
    """A microphone into which nobody speaks: such a talk ends when somebody ends it."""
    path = tmp_path / "still.wav"
    path.write_bytes(wav_bytes(np.zeros(round(LONG * _RATE)), rate=_RATE))
    return path


@pytest.fixture(scope="module")
def realtime() -> Iterator[str]:
    """The base URL of a local Realtime server."""
    command = [*PROGRAM, "serve", "realtime", "--port", "0", "--api-key", API_KEY]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None  # a pipe
        try:
            yield server.stdout.readline().removeprefix("ready ").strip() + "/v1"
        finally:
            server.terminate()


@pytest.fixture
def secret(realtime: str) -> str:
    """A client secret of that server, for a session that has one tool."""
    session = {"type": "realtime", "tools": [_TOOL]}
    headers = {"Authorization": f"Bearer {API_KEY}"}
    reply = httpx.post(f"{realtime}/realtime/client_secrets", json={"session": session}, headers=headers)
    value = reply.raise_for_status().json()["value"]
    assert isinstance(value, str)
    return value
