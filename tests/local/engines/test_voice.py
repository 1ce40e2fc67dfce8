"""The voices speak, differ, keep the asked speed, and never fail a talk."""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import logging
import os
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from couchvoice.audio.frames import SAMPLE_RATE
from couchvoice.local.engines import Voice
from couchvoice.local.engines import voice as voice_file
from couchvoice.local.engines.engine_failed import EngineFailed
from couchvoice.local.engines.voice import Dependable, Espeak, Tone, choose_voice
from tests.requirements import require

TEXT = "Is memory on for this conversation, or is it off today?"
NAMES = ("alloy", "ash", "ballad", "cedar", "coral", "echo", "marin", "sage", "shimmer", "verse")
SAME = 0.99  # correlation
SHORTEST = 2.0  # s, that TEXT takes to say


@pytest.fixture(params=["program", "library", "tone"])
def engine(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Voice:
    if request.param == "program":
        require(shutil.which("espeak-ng"), "espeak-ng")
        return choose_voice()
    monkeypatch.setattr(shutil, "which", lambda _: None)
    if request.param == "library":
        require(importlib.util.find_spec("espeakng_loader"), "espeakng-loader")
        return choose_voice()
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    return choose_voice()


def alive(pid: str) -> bool:
    with contextlib.suppress(ProcessLookupError):
        os.kill(int(pid), 0)
        return True
    return False


def spectrum(samples: NDArray[np.int16]) -> NDArray[np.float64]:
    """The share of each 10 Hz below 4 kHz."""
    power = np.abs(np.fft.rfft(samples.astype(np.float64), SAMPLE_RATE)) ** 2
    bands = power[:4000].reshape(400, -1).sum(axis=1)
    return np.asarray(bands / bands.sum())


def same(one: NDArray[np.int16], other: NDArray[np.int16]) -> bool:
    """The library rounds some samples as it likes."""
    return one.size == other.size and float(np.corrcoef(one, other)[0, 1]) > SAME


async def test_a_text_becomes_sound_of_48_khz(engine: Voice) -> None:
    frame = await engine.speak(TEXT, voice="alloy")
    assert frame.rate == SAMPLE_RATE
    assert frame.samples.dtype == np.int16
    assert SHORTEST < frame.samples.size / SAMPLE_RATE < 3 * SHORTEST
    assert np.abs(frame.samples).max() > 1000


@pytest.mark.parametrize("text", ["", " \n"])
async def test_an_empty_text_gives_an_empty_frame(engine: Voice, text: str) -> None:
    assert (await engine.speak(text, voice="alloy")).samples.size == 0


@pytest.mark.row("D10")
@pytest.mark.parametrize("speed", [0.25, 0.5, 1.5])
async def test_speed_is_kept(engine: Voice, speed: float) -> None:
    normal = (await engine.speak(TEXT, voice="alloy")).samples.size
    assert normal / (await engine.speak(TEXT, voice="alloy", speed=speed)).samples.size == pytest.approx(speed, rel=0.1)


@pytest.mark.row("D1")
async def test_the_ten_voices_sound_different(engine: Voice) -> None:
    sounds = await asyncio.gather(*(engine.speak("Good morning to you.", voice=name) for name in NAMES))
    spectra = [spectrum(sound.samples) for sound in sounds]
    differences = [np.abs(one - other).sum() for i, one in enumerate(spectra) for other in spectra[:i]]
    assert min(differences) > 0.05
    assert max(differences) > 0.5


async def test_an_unknown_voice_is_the_default_one(engine: Voice) -> None:
    default, unknown = [(await engine.speak("Good morning.", voice=name)).samples for name in ("alloy", "nobody")]
    assert same(default, unknown)


@pytest.mark.row("D13")
@pytest.mark.parametrize("language", ["de", "fr-ca", "fr-be", "pt-BR", "zh", "no"])
async def test_a_language_is_spoken_by_each_voice_in_its_colour(engine: Voice, language: str) -> None:
    high, low, english = [
        (await engine.speak("1, 2, 3, 4.", voice=name, language=spoken)).samples
        for name, spoken in (("shimmer", language), ("ash", language), ("shimmer", None))
    ]
    assert isinstance(engine, Tone) or not same(high, english)
    assert np.abs(spectrum(high) - spectrum(low)).sum() > 0.2


@pytest.mark.parametrize(
    ("language", "same_as"),
    [("de-xx", "de"), ("DE_de", "de"), ("en", None), ("xx", None), ("", None), ("--version", None), ("../de", None)],
)
async def test_a_language_that_is_not_there_is_the_nearest_that_is(
    engine: Voice, language: str, same_as: str | None
) -> None:
    sounds = [(await engine.speak("Guten Tag.", voice="alloy", language=name)).samples for name in (language, same_as)]
    assert same(*sounds)


async def test_text_is_never_an_option(engine: Voice) -> None:
    assert (await engine.speak("--version; rm -rf \ud800 <speak>", voice="alloy")).samples.size > SAMPLE_RATE


FAILING = ([sys.executable, "-c", "import sys; sys.exit('no data')"], [sys.executable, "-c", "pass"])


@pytest.mark.parametrize(
    ("command", "said"),
    [(["/nonexistent/espeak-ng"], {"answers are tones": 1}), *((failing, {"a tone": 2}) for failing in FAILING)],
)
async def test_a_sentence_at_which_the_engine_fails_is_a_tone(
    command: list[str], said: dict[str, int], caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(EngineFailed, match="failed: "):
        await Espeak(command).speak(TEXT, voice="alloy")
    dependable = Dependable(Espeak(command))
    expected = await Tone().speak(TEXT, voice="alloy")
    with caplog.at_level(logging.WARNING, "couchvoice.local"):
        for _ in range(2):
            assert np.array_equal((await dependable.speak(TEXT, voice="alloy")).samples, expected.samples)
    assert all(caplog.text.count(words) == times for words, times in said.items())
    assert TEXT not in caplog.text


async def test_after_a_failure_the_next_sentence_is_spoken_again(tmp_path: Path) -> None:
    require(shutil.which("espeak-ng"), "espeak-ng")
    flag = tmp_path / "failed"
    once = ["sh", "-c", f'[ -e {flag} ] && exec espeak-ng "$@"; : > {flag}; exit 1', "sh"]
    dependable = Dependable(Espeak(once))
    tone = await Tone().speak(TEXT, voice="alloy")
    assert np.array_equal((await dependable.speak(TEXT, voice="alloy")).samples, tone.samples)
    assert not np.array_equal((await dependable.speak(TEXT, voice="alloy")).samples, tone.samples)


async def test_only_so_many_processes_speak_at_once(tmp_path: Path) -> None:
    counting = f"import os, sys; d = {str(tmp_path)!r}; open(d + '/' + str(os.getpid()), 'w'); sys.stdin.read(); "
    counting += "n = len(os.listdir(d)); os.remove(d + '/' + str(os.getpid())); sys.exit(str(n))"
    engine = Espeak([sys.executable, "-c", counting])
    failures = await asyncio.gather(
        *(engine.speak(TEXT, voice="alloy") for _ in range(3 * voice_file.AT_ONCE)), return_exceptions=True
    )
    counts = [int(failure.detail) for failure in failures if isinstance(failure, EngineFailed)]
    assert len(counts) == len(failures)
    assert max(counts) <= voice_file.AT_ONCE


async def test_an_engine_that_hangs_is_ended(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(voice_file, "_TIMEOUT", 0.3)
    pid_file = tmp_path / "pid"
    hanging = f"import os, time; open({str(pid_file)!r}, 'w').write(str(os.getpid())); time.sleep(60)"
    with pytest.raises(EngineFailed, match="no answer within"):
        await Espeak([sys.executable, "-c", hanging]).speak(TEXT, voice="alloy")
    assert not alive(await asyncio.to_thread(pid_file.read_text))


async def test_a_cancelled_answer_leaves_no_process(tmp_path: Path) -> None:
    fifo = tmp_path / "pid"
    os.mkfifo(fifo)
    hanging = f"import os, time; open({str(fifo)!r}, 'w').write(str(os.getpid())); time.sleep(60)"
    speaking = asyncio.create_task(Espeak([sys.executable, "-c", hanging]).speak(TEXT, voice="alloy"))
    pid = await asyncio.to_thread(fifo.read_text)  # returns when the child has started
    speaking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await speaking
    assert not alive(pid)
