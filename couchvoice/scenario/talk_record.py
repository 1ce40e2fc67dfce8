"""What one talk was: everything that happened, on one clock, and the sound of both sides beside it.

Zero is the moment at which connecting began; times are seconds on the clock that ``clock`` names. Made by TalkTap,
read by the report and the cassette, kept as one file: a zip of JSON and FLAC.
Law: entries are in the order of their times, and both sounds begin at zero, so that one axis holds for all.
"""

from __future__ import annotations

import io
import zipfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from couchvoice.audio.frames import SAMPLE_RATE, silence
from couchvoice.errors import ConfigError
from couchvoice.scenario.sound_file import DamagedSound, flac_from_samples, samples_from_file

FORMAT = 1  # of the file; a reader refuses a newer one

_TALK, _SAID, _HEARD = "talk.json", "said.flac", "heard.flac"


class RawEvent(msgspec.Struct, frozen=True, tag="event"):
    """JSON on the data channel, as it came or went. ``who`` sent it."""

    at: float
    who: Literal["client", "provider"]
    text: str


class State(msgspec.Struct, frozen=True, tag="state"):
    """The session is in this state from here on (row E4)."""

    at: float
    state: str


class Step(msgspec.Struct, frozen=True, tag="step"):
    """The script did this. ``line``: where it stands, as in ``greeting.yaml:12``."""

    at: float
    what: str
    line: str | None = None


class Words(msgspec.Struct, frozen=True, tag="words"):
    """The final words of one side."""

    at: float
    who: Literal["user", "assistant"]
    text: str
    interrupted: bool = False


class ToolSpan(msgspec.Struct, frozen=True, tag="tool"):
    """``until`` and ``output`` are None for a call that was never answered."""

    at: float
    name: str
    call_id: str
    status: str
    until: float | None = None
    arguments: str = ""
    output: Any = None


class TurnEntry(msgspec.Struct, frozen=True, tag="turn"):
    """``at``: when the backend had answered ``/turn``, or it was given up."""

    at: float
    index: int
    user_text: str
    assistant_text: str
    outcome: str
    recorded: bool
    tool_calls: tuple[str, ...] = ()
    timings: dict[str, Any] = {}


class Interruption(msgspec.Struct, frozen=True, tag="interruption"):
    """``stop_ms``: how long the assistant was still heard."""

    at: float
    stop_ms: float | None


class Trouble(msgspec.Struct, frozen=True, tag="trouble"):
    """Something failed, and the talk went on or broke."""

    at: float
    code: str
    message: str


class Check(msgspec.Struct, frozen=True, tag="check"):
    """What the script expected of the talk, and what it got, both as text."""

    at: float
    what: str
    passed: bool
    expected: str = ""
    got: str = ""
    line: str | None = None


Entry = RawEvent | State | Step | Words | ToolSpan | TurnEntry | Interruption | Trouble | Check


@dataclass(frozen=True, slots=True)
class SoundPacket:
    """An Opus packet of the provider's. ``timestamp`` is RTP's, in samples at 48 kHz, and never wraps here."""

    at: float
    timestamp: int
    payload: bytes


@dataclass(slots=True, eq=False)
class TalkRecord:
    """``clock``: "real" or "media"; ``speed``: how fast it may run against real time, None for as fast as it can.

    ``outcome``: passed, failed, or broken (``error`` says why). ``figures``: all measurements of a name, in ms, as in
    ``{"response_ms": [812.0, 640.0]}``. ``said`` has left for the provider, ``heard`` is what a listener heard, int16
    at 48 kHz. ``packets`` is the provider's sound as it came; it is not in the file.
    """

    name: str
    began: str  # ISO 8601
    clock: str = "real"
    speed: float | None = 1.0
    outcome: str = "passed"
    error: str | None = None
    entries: list[Entry] = field(default_factory=list)
    figures: dict[str, list[float]] = field(default_factory=dict)
    said: NDArray[np.int16] = field(default_factory=lambda: silence(0))
    heard: NDArray[np.int16] = field(default_factory=lambda: silence(0))
    packets: list[SoundPacket] = field(default_factory=list)

    @property
    def seconds(self) -> float:
        """How long it was: until the last thing that happened, or the end of the sound."""
        sound = max(self.said.size, self.heard.size) / SAMPLE_RATE
        return max([sound, *(_end(entry) for entry in self.entries)])

    def of(self, kind: type[Any]) -> list[Any]:
        """The entries of a kind."""
        return [entry for entry in self.entries if isinstance(entry, kind)]

    def save(self, path: Path) -> None:
        """Raises ConfigError."""
        content = io.BytesIO()
        with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr(_TALK, msgspec.json.encode(_Talk.of(self)))
            # FLAC is as small as it gets: to deflate it costs time only.
            archive.writestr(_SAID, flac_from_samples(self.said), zipfile.ZIP_STORED)
            archive.writestr(_HEARD, flac_from_samples(self.heard), zipfile.ZIP_STORED)
        try:
            path.write_bytes(content.getvalue())
        except OSError as exc:
            raise ConfigError(f"cannot write {path}: {(exc.strerror or str(exc)).lower()}") from exc


class _Format(msgspec.Struct):
    format: int


class _Talk(msgspec.Struct):
    """What stands in the JSON."""

    format: int
    name: str
    began: str
    clock: str
    speed: float | None
    outcome: str
    error: str | None
    entries: list[Entry]
    figures: dict[str, list[float]]
    samples: tuple[int, int]

    @staticmethod
    def of(record: TalkRecord) -> _Talk:
        return _Talk(
            FORMAT,
            record.name,
            record.began,
            record.clock,
            record.speed,
            record.outcome,
            record.error,
            record.entries,
            record.figures,
            (record.said.size, record.heard.size),
        )


def load_talk(path: Path) -> TalkRecord:
    """Raises ConfigError for a file that is none of these, damaged, or newer than this program."""
    try:
        with zipfile.ZipFile(path) as archive:
            text, said, heard = (archive.read(name) for name in (_TALK, _SAID, _HEARD))
        known = msgspec.json.decode(text, type=_Format).format
        if known > FORMAT:
            raise ConfigError(
                f"cannot read {path}: it is of format {known}, and this couchvoice knows {FORMAT}: update it"
            )
        talk = msgspec.json.decode(text, type=_Talk)
        sounds = samples_from_file(said), samples_from_file(heard)
    except OSError as exc:
        raise ConfigError(f"cannot read {path}: {(exc.strerror or str(exc)).lower()}") from exc
    except (zipfile.BadZipFile, KeyError, EOFError, msgspec.DecodeError, DamagedSound) as exc:
        raise ConfigError(f"cannot read {path}: it is no record of a talk, or it is damaged") from exc
    return TalkRecord(
        name=talk.name,
        began=talk.began,
        clock=talk.clock,
        speed=talk.speed,
        outcome=talk.outcome,
        error=talk.error,
        entries=talk.entries,
        figures=talk.figures,
        said=sounds[0][: talk.samples[0]],
        heard=sounds[1][: talk.samples[1]],
    )


def _end(entry: Entry) -> float:
    until = entry.until if isinstance(entry, ToolSpan) else None
    return entry.at if until is None else until
