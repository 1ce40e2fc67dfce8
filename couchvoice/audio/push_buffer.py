"""Sound that is pushed frame by frame: a ring that one side fills and the other side empties.

For our own voice, for a transport that brings decoded sound, and where the far end's packets cannot be had. It knows no
packets and no decoder: it is told of gaps, and time passes as samples are pulled.
Law: what is pushed is heard once and in order, or it is counted as dropped, or a flush has voided it; a pull never
waits and always gets as many samples as it asked for.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from couchvoice.audio.frames import SAMPLE_RATE, AudioFrame, is_audible, silence

TARGET_MS = 40  # ms buffered, or waited for, before playback starts
LIMIT_MS = 2000  # ms; beyond, the oldest is dropped
FADE_MS = 5  # ms of fade-out at a flush
MAX_CONCEALED_MS = 200  # ms of silence for one gap: more would only delay what comes after it

_PER_MS = SAMPLE_RATE // 1000
_TARGET = TARGET_MS * _PER_MS
_LIMIT = LIMIT_MS * _PER_MS
_FADE_OUT = np.linspace(1.0, 0.0, FADE_MS * _PER_MS, dtype=np.float32)
# Twice the limit: the producer may write a whole limit while a pull is copying, and never under its hands.
_CAPACITY = 2 * _LIMIT


@dataclass(frozen=True, slots=True)
class PushCounters:
    """What happened so far. ``played_ms`` counts pushed sound only, not the silence of an empty buffer."""

    concealed_ms: int
    underruns: int
    dropped_ms: int
    flushes: int
    played_ms: int


class PushBuffer:
    """One producer (the event loop), one consumer (the card's thread or a timer), no lock.

    Positions count samples since the beginning and only grow. Each field has one writer, and a tuple is replaced
    as a whole, so either side may read what the other writes at any time.
    """

    def __init__(self) -> None:
        self._ring = silence(_CAPACITY)
        # Written by the producer:
        self._end = 0  # behind the last sample
        self._oldest = 0  # before it everything was dropped
        self._flush = (0, 0)  # how many so far, and before which position nothing may be heard
        self._dropped = 0
        self._concealed = 0
        # Written by the consumer:
        self._position = 0  # of the next sample to be heard
        self._flushes_seen = 0
        self._played = 0
        self._underruns = 0
        self._running = False
        self._waited = 0  # samples of silence pulled since there was something to start with
        self._starved = 0  # samples of silence pulled since the buffer ran dry
        self._was_audible = False  # the last block

    @property
    def buffered_ms(self) -> float:
        """What is still to be heard."""
        return max(0, self._end - self._next_position()) / _PER_MS

    @property
    def counters(self) -> PushCounters:
        """A snapshot, from either side."""
        return PushCounters(
            concealed_ms=self._concealed // _PER_MS,
            underruns=self._underruns,
            dropped_ms=self._dropped // _PER_MS,
            flushes=self._flush[0],
            played_ms=self._played // _PER_MS,
        )

    def push(self, frame: AudioFrame) -> None:
        """Queue a frame of 48 kHz sound. Beyond LIMIT_MS the oldest is dropped and counted."""
        if frame.rate != SAMPLE_RATE:
            raise ValueError(f"a frame of {frame.rate} Hz: playout runs at {SAMPLE_RATE} Hz")
        self._append(frame.samples)

    def conceal(self, ms: float) -> None:
        """Fill a gap of the far end's timeline with silence, unless a dry buffer has already played that silence."""
        gap = round(max(0, min(ms, MAX_CONCEALED_MS)) * _PER_MS)
        self._concealed += gap
        already = self._starved if self._end == self._next_position() else 0
        self._append(silence(max(0, gap - already)))

    def flush(self) -> None:
        """Barge-in: nothing that is queued will be heard, but for a fade of FADE_MS in the next pull."""
        self._flush = (self._flush[0] + 1, self._end)

    def pull(self, samples: int) -> NDArray[np.int16]:
        """The next samples: exactly that many, silence where there is nothing to play. Never raises."""
        out = silence(samples)
        flushes, voided = self._flush
        if flushes != self._flushes_seen:
            self._flushes_seen = flushes
            self._fade_out(out, voided)
        else:
            self._play(out, voided)
        self._was_audible = is_audible(out)
        return out

    def _append(self, samples: NDArray[np.int16]) -> None:
        kept = samples[-_LIMIT:]
        at = self._end % _CAPACITY
        head = min(kept.size, _CAPACITY - at)
        self._ring[at : at + head] = kept[:head]
        self._ring[: kept.size - head] = kept[head:]
        self._end += kept.size  # after the samples: the consumer reads up to here
        excess = max(0, self._end - self._next_position() - _LIMIT)
        self._oldest = max(self._oldest, self._end - _LIMIT)
        self._dropped += excess + samples.size - kept.size

    def _next_position(self) -> int:
        return max(self._position, self._oldest, self._flush[1])

    def _fade_out(self, out: NDArray[np.int16], voided: int) -> None:
        """The block in which a flush is noticed: the old sound fades, new sound begins with the next block."""
        if self._running:
            start = max(self._position, self._oldest)
            faded = self._read(start, max(0, min(out.size, _FADE_OUT.size, voided - start)))
            out[: faded.size] = faded * _FADE_OUT[: faded.size]
        self._running = False
        self._waited = self._starved = 0

    def _play(self, out: NDArray[np.int16], voided: int) -> None:
        # By the flush that this pull has seen: a later one is the next pull's, with its fade.
        start = max(self._position, self._oldest, voided)
        available = self._end - start
        if not self._running:
            self._running = available >= _TARGET or (available > 0 and self._waited >= _TARGET)
        if not self._running:
            self._waited += out.size if available else 0
            self._starved += out.size if self._played else 0
            return
        self._waited = self._starved = 0
        heard = self._read(start, min(out.size, available))
        out[: heard.size] = heard
        self._position = start + heard.size
        self._played += heard.size
        if heard.size < out.size:
            self._run_dry(out[: heard.size], missing=out.size - heard.size)

    def _run_dry(self, heard: NDArray[np.int16], *, missing: int) -> None:
        """No frame came in time. Only what tears audible sound is an underrun: a far end may fall silent."""
        self._running = False
        self._starved = missing
        if is_audible(heard) or (not heard.size and self._was_audible):
            self._underruns += 1

    def _read(self, start: int, count: int) -> NDArray[np.int16]:
        at = start % _CAPACITY
        return np.concatenate([self._ring[at : at + count], self._ring[: max(0, at + count - _CAPACITY)]])
