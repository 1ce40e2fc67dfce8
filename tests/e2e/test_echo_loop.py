"""A loudspeaker that the microphone hears, through real devices: PulseAudio plays its monitor back at -10 dB."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from couchvoice.audio.canceller import is_installed
from couchvoice.local.engines.recordings import load_recordings
from tests.audio.pulse import ROOT, SoundSystem, sound_system
from tests.audio.tones import wav_bytes
from tests.e2e.test_sound_card import lines_until, running
from tests.requirements import require

LOOP_MS = 60
LOOP_DB = -10
HISS = 3e-4  # of full scale: a microphone that hears nothing but itself
DEVICES = ("--input", "couch_mic", "--output", "couch_speaker")


def pactl(*command: str, environment: dict[str, str]) -> str:
    done = subprocess.run(["pactl", *command], env=environment, check=True, capture_output=True, text=True, timeout=10)
    return done.stdout.strip()


@pytest.fixture(scope="module")
def looped() -> Iterator[SoundSystem]:
    with sound_system() as system:
        loop = (
            "module-loopback",
            "source=spk.monitor",
            "sink=micfeed",
            f"latency_msec={LOOP_MS}",
            "source_dont_move=1",
        )
        module = pactl("load-module", *loop, environment=system.environment)
        inputs = pactl("--format=json", "list", "sink-inputs", environment=system.environment)
        (loopback,) = (each["index"] for each in json.loads(inputs) if str(each["owner_module"]) == module)
        pactl("set-sink-input-volume", str(loopback), f"{LOOP_DB}dB", environment=system.environment)
        yield system


def written(path: Path, samples: np.ndarray, rate: int) -> str:
    path.write_bytes(wav_bytes(samples, rate=rate))
    return str(path)


@pytest.mark.timeout(60)
@pytest.mark.row("P3")
async def test_doctor_measures_the_loop_and_says_what_to_do(looped: SoundSystem, tmp_path: Path):
    require(is_installed(), "livekit (the extra aec)")
    hiss = written(tmp_path / "hiss.wav", np.random.default_rng(1).normal(scale=HISS, size=15 * 48_000), 48_000)
    doctor = [sys.executable, "-m", "couchvoice", "doctor", "--json", "--echo", *DEVICES]
    async with (
        running("paplay", "-d", "micfeed", hiss, environment=looped.environment),
        running(*doctor, environment=looped.environment) as examining,
    ):
        lines = await lines_until(examining, type="summary")
        assert await examining.wait() == 0
    checks = {line["name"]: line for line in lines if line["type"] == "check"}
    assert {name: check["status"] for name, check in checks.items()} == dict.fromkeys(
        ("portaudio", "devices", "input", "output", "libopus", "livekit", "echo"), "pass"
    )
    assert checks["echo"]["policy"] == "aec"
    assert checks["echo"]["coupling_db"] == pytest.approx(LOOP_DB, abs=1.5)
    assert LOOP_MS < checks["echo"]["delay_ms"] < 400
    assert lines[-1] == {"type": "summary", "passed": 7, "failed": 0, "skipped": 0, "exit": 0}


@pytest.mark.timeout(60)
async def test_doctor_tells_a_microphone_that_gives_nothing_but_zeros(looped: SoundSystem):
    doctor = [sys.executable, "-m", "couchvoice", "doctor", *DEVICES]
    async with running(*doctor, environment=looped.environment) as examining:
        printed = (await examining.stdout.read()).decode()
        assert await examining.wait() == 1
    assert "fail  input      the microphone opens and gives nothing but zeros" in printed
    assert "pass  output" in printed


@pytest.mark.timeout(60)
@pytest.mark.row("B6")
async def test_a_talk_in_the_loop_hears_the_user_and_nobody_else(looped: SoundSystem, tmp_path: Path):
    require(is_installed(), "livekit (the extra aec)")
    said = [
        written(tmp_path / f"{number}.wav", recording.samples / 32768, recording.rate)
        for number, recording in enumerate(load_recordings([ROOT / "fixtures" / "first-talk.wav"])[:2])
    ]
    environment = looped.environment | {"COUCHVOICE_STATE_DIR": str(tmp_path)}
    talk = [sys.executable, "-m", "couchvoice", "talk", *DEVICES, "--json"]
    async with running(*talk, environment=environment) as talking:
        lines = await lines_until(talking, type="state", state="listening")
        for wav in said:
            async with running("paplay", "-d", "micfeed", wav, environment=environment) as speaking:
                await speaking.wait()
            lines += await lines_until(talking, type="turn")
        talking.send_signal(signal.SIGINT)
        lines += await lines_until(talking, type="summary")
        assert await talking.wait() == 130
    turns = [(line["user_text"], line["outcome"]) for line in lines if line["type"] == "turn"]
    assert turns == [("Hello, can you hear me?", "completed"), ("Is memory on for this conversation?", "completed")]
