"""Speech synthesis of the local server: espeak-ng, by program or by library, else a tone.

Not a good voice: a plain one that is there offline, in two or more colours. espeak-ng always runs in a child process,
with the text on its stdin, where no list of processes shows it.
Law: speaking never fails and never hangs; a sentence at which the engine does either is a tone, and the log says so.
"""

from __future__ import annotations

import asyncio
import importlib.util
import logging
import re
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from weakref import WeakKeyDictionary

import numpy as np

from couchvoice.audio.frames import SAMPLE_RATE, AudioFrame, silence
from couchvoice.local.engines import Voice
from couchvoice.local.engines.engine_failed import EngineFailed
from couchvoice.local.resample import resample

MIN_SPEED, MAX_SPEED = 0.25, 1.5

AT_ONCE = 4  # processes of espeak-ng; more sentences wait for their turn

_TIMEOUT = 10.0  # s, for one sentence or a story of some minutes: espeak-ng is 100 times faster than real time
_WORDS_PER_MINUTE = 175  # at speed 1
_SLOWEST = 80  # words per minute; espeak-ng goes no slower, so pauses between the words do
_GAP_PER_SLOWNESS = 8.5  # units of espeak-ng's -g, measured: makes speed 0.25 four times as long as speed 1
_LANGUAGE = re.compile(r"[a-z]{2,3}(-[a-z0-9]{2,8})*", re.ASCII)
_ENGLISH = "en"  # spoken by each voice in the accent of its own
# Of other regions espeak-ng takes the language, but loses the colour.
_REGIONS = frozenset({"en-gb", "en-us", "es-419", "fr-be", "fr-ch", "pt-br"})
_ESPEAK_NAMES = {"zh": "cmn", "no": "nb"}  # of languages that espeak-ng has under another
_HEADER = 44  # bytes of a WAV header as espeak-ng and the wave module write it
_RATE_FIELD = slice(24, 28)  # where its sample rate is
_DEFAULT_NAME = "alloy"
_TONE_LENGTH = 0.06  # s per character
_TONE_LEVEL = 6000
_TONE_FADE = 0.01  # s at each end, so that it does not click

_log = logging.getLogger("couchvoice.local")


@dataclass(frozen=True, slots=True)
class _Colour:
    """How a voice sounds: espeak-ng's voice and pitch (0 to 99), and the tone's frequency in Hz."""

    espeak: str
    pitch: int
    tone: float


_COLOURS = {
    "alloy": _Colour("en-us+f3", 50, 330.0),
    "ash": _Colour("en-us+m3", 40, 220.0),
    "ballad": _Colour("en+m1", 45, 233.1),
    "cedar": _Colour("en-us+m7", 30, 174.6),
    "coral": _Colour("en-us+f2", 60, 370.0),
    "echo": _Colour("en-us+m1", 50, 246.9),
    "marin": _Colour("en-us+f4", 45, 311.1),
    "sage": _Colour("en+f3", 40, 293.7),
    "shimmer": _Colour("en-us+f5", 70, 415.3),
    "verse": _Colour("en-gb-scotland+m3", 55, 196.0),
}


class _NoVoice(EngineFailed):
    """espeak-ng does not speak this language."""


class _NoEngine(EngineFailed):
    """The program cannot be run at all."""


class Espeak:
    """espeak-ng, or what takes its options. A language that it does not have is spoken as English.

    Raises EngineFailed.
    """

    def __init__(self, command: Sequence[str]) -> None:
        self._command = command
        self._turns: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Semaphore] = WeakKeyDictionary()
        self._lacking: set[str] = set()  # voices that were asked for and are not there

    async def speak(self, text: str, *, voice: str, speed: float = 1.0, language: str | None = None) -> AudioFrame:
        if not text.strip():
            return AudioFrame(silence(0), SAMPLE_RATE)
        colour = _colour(voice)
        wav = await self._voiced(text, _options(colour, speed), by=_accent(colour, language), otherwise=colour.espeak)
        samples = np.frombuffer(wav[_HEADER : len(wav) - len(wav) % 2], "<i2").astype(np.int16)
        if not samples.size:
            raise EngineFailed(self._command[0], "no samples")
        frame = AudioFrame(samples, int.from_bytes(wav[_RATE_FIELD], "little"))
        return await asyncio.to_thread(resample, frame, SAMPLE_RATE)

    async def _voiced(self, text: str, options: Sequence[str], *, by: str, otherwise: str) -> bytes:
        if by not in self._lacking:
            try:
                return await self._run(text, ["-v", by, *options])
            except _NoVoice:
                if by == otherwise:
                    raise
                self._lacking.add(by)
        return await self._run(text, ["-v", otherwise, *options])

    async def _run(self, text: str, options: Sequence[str]) -> bytes:
        # A semaphore belongs to a loop, an engine may serve several.
        async with self._turns.setdefault(asyncio.get_running_loop(), asyncio.Semaphore(AT_ONCE)):
            return await self._spoken(text, options)

    async def _spoken(self, text: str, options: Sequence[str]) -> bytes:
        pipe = asyncio.subprocess.PIPE
        try:
            process = await asyncio.create_subprocess_exec(
                *self._command, *options, stdin=pipe, stdout=pipe, stderr=pipe
            )
        except OSError as exc:
            missing = isinstance(exc, FileNotFoundError | PermissionError)
            raise (_NoEngine if missing else EngineFailed)(self._command[0], str(exc)) from exc
        try:
            async with asyncio.timeout(_TIMEOUT):
                wav, complaint = await process.communicate(text.encode(errors="replace"))
        except TimeoutError as exc:
            raise EngineFailed(self._command[0], f"no answer within {_TIMEOUT:g} s") from exc
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        if process.returncode:
            failure = _NoVoice if b"voice" in complaint else EngineFailed
            raise failure(self._command[0], complaint.decode(errors="replace").strip()[-200:])
        return wav


class Tone:
    """A tone as long as the text would take: no words, but a talk can go on."""

    async def speak(self, text: str, *, voice: str, speed: float = 1.0, language: str | None = None) -> AudioFrame:
        seconds = len(text.strip()) * _TONE_LENGTH / _clamped(speed)
        time = np.arange(int(seconds * SAMPLE_RATE)) / SAMPLE_RATE
        fade = np.minimum(1, np.minimum(time, time[::-1]) / _TONE_FADE)
        tone = _TONE_LEVEL * fade * np.sin(2 * np.pi * _colour(voice).tone * time)
        return AudioFrame(tone.astype(np.int16), SAMPLE_RATE)


class Dependable:
    """An engine, and the tone for what it fails at; for good when it cannot be run at all."""

    def __init__(self, engine: Voice) -> None:
        self._voice = engine

    async def speak(self, text: str, *, voice: str, speed: float = 1.0, language: str | None = None) -> AudioFrame:
        try:
            return await self._voice.speak(text, voice=voice, speed=speed, language=language)
        except EngineFailed as exc:
            if not isinstance(exc, _NoEngine):
                _log.warning("x speech: %s; this sentence is a tone", exc)
            elif not isinstance(self._voice, Tone):
                _log.warning("x speech: %s; answers are tones from now on", exc)
                self._voice = Tone()
            return await Tone().speak(text, voice=voice, speed=speed, language=language)


def choose_voice() -> Voice:
    """The best that this machine has."""
    if program := shutil.which("espeak-ng"):
        return Dependable(Espeak([program]))
    if importlib.util.find_spec("espeakng_loader"):
        # -P: else the script's directory shadows modules of the standard library (secrets).
        return Dependable(Espeak([sys.executable, "-P", str(Path(__file__).with_name("espeak.py"))]))
    _log.warning('x speech: no espeak-ng, answers are tones: pip install "couchvoice[local]"')
    return Tone()


def _accent(colour: _Colour, language: str | None) -> str:
    """espeak-ng's voice for this. It may not be there."""
    tag = (language or _ENGLISH).lower().replace("_", "-")
    name = tag if tag in _REGIONS else tag.partition("-")[0]
    if name == _ENGLISH or not _LANGUAGE.fullmatch(tag):
        return colour.espeak
    return f"{_ESPEAK_NAMES.get(name, name)}+{colour.espeak.partition('+')[2]}"


def _options(colour: _Colour, speed: float) -> list[str]:
    words = _WORDS_PER_MINUTE * _clamped(speed)
    gap = max(0.0, _WORDS_PER_MINUTE / words - _WORDS_PER_MINUTE / _SLOWEST) * _GAP_PER_SLOWNESS
    rate = max(round(words), _SLOWEST)
    return ["--stdin", "--stdout", "-p", str(colour.pitch), "-s", str(rate), "-g", str(round(gap))]


def _colour(voice: str) -> _Colour:
    return _COLOURS.get(voice, _COLOURS[_DEFAULT_NAME])


def _clamped(speed: float) -> float:
    return min(max(speed, MIN_SPEED), MAX_SPEED)
