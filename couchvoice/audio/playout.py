"""What the card plays: the far end's stream and the sound that is pushed, as one.

Fed on the event loop, pulled in the card's thread. Law: a pull never waits and always gets as many samples as it asked
for; after a flush nothing that was here is heard any more, but for a fade of 5 ms; whoever watches is told what was
really played.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, fields

import numpy as np
from numpy.typing import NDArray

from couchvoice.audio.frames import AUDIBLE_PEAK, SAMPLE_RATE, AudioFrame, is_audible
from couchvoice.audio.packet_buffer import MediaPacket
from couchvoice.audio.push_buffer import PushBuffer
from couchvoice.audio.receive import ReceiveBuffer, ReceiveCounters
from couchvoice.audio.volume import Volume

QUIET_MS = 600  # ms without audible sound until playback counts as quiet

_PER_MS = SAMPLE_RATE // 1000
_QUIET = QUIET_MS * _PER_MS


@dataclass(frozen=True, slots=True, kw_only=True)
class PlayoutCounters(ReceiveCounters):
    """What happened so far, to both kinds of sound."""

    flushes: int = 0


class PlayoutBuffer:
    """One producer (the event loop), one consumer (the card's thread or a timer), no lock.

    The observers are called by the consumer. ``on_activity``: True as playback becomes audible, False after QUIET_MS
    without sound. ``on_played``: each block of int16 mono at 48 kHz as the card got it. ``on_received``: the far end's
    share of it. ``on_silenced``: a flush was carried out, and so many samples of this block were still audible.
    ``volume`` is the consumer's to choose: an echo is as loud as what was played, so it comes before the observers.
    """

    def __init__(
        self,
        *,
        on_activity: Callable[[bool], None] | None = None,
        on_played: Callable[[NDArray[np.int16]], None] | None = None,
        on_received: Callable[[NDArray[np.int16]], None] | None = None,
        on_silenced: Callable[[int], None] | None = None,
    ) -> None:
        self._on_activity = on_activity
        self._on_played = on_played
        self._on_received = on_received
        self._on_silenced = on_silenced
        self.volume = Volume()
        self._pushed = PushBuffer()
        # Written by the producer:
        self._received: ReceiveBuffer | None = None  # made with the first packet
        self._flushes = 0
        # Written by the consumer:
        self._flushes_seen = 0
        self._quiet_for = _QUIET  # samples pulled since the last audible one

    @property
    def buffered_ms(self) -> float:
        """What was pushed and is still to be heard."""
        return self._pushed.buffered_ms

    @property
    def counters(self) -> PlayoutCounters:
        """A snapshot, from either side."""
        pushed = self._pushed.counters
        received = self._received.counters if self._received is not None else ReceiveCounters()
        sums = asdict(received)
        for field in fields(pushed):
            sums[field.name] = sums.get(field.name, 0) + getattr(pushed, field.name)
        return PlayoutCounters(**sums)

    def push(self, frame: AudioFrame) -> None:
        """Queue a frame of 48 kHz sound. Raises ValueError for another rate."""
        self._pushed.push(frame)

    def conceal(self, ms: float) -> None:
        """Fill a gap in what is pushed with silence, unless a dry buffer has already played that silence."""
        self._pushed.conceal(ms)

    def receive(self, packet: MediaPacket) -> None:
        """A packet of the far end's came. Raises OpusUnavailable, at the first one, where there is no libopus."""
        if self._received is None:
            self._received = ReceiveBuffer()
        self._received.put(packet)

    def flush(self) -> None:
        """Barge-in: nothing that is here will be heard, but for a short fade in the next pull."""
        self._pushed.flush()
        if self._received is not None:
            self._received.flush()
        self._flushes += 1

    def pull(self, samples: int) -> NDArray[np.int16]:
        """The next samples: exactly that many, silence where there is nothing to play. Never raises."""
        # Before the buffers look for theirs: one that comes meanwhile is the next pull's.
        flushes = self._flushes
        out = self._pushed.pull(samples)
        if self._received is not None:
            received = self._received.pull(samples)
            out = _mixed(out, received)
            if self._on_received is not None:
                self._on_received(received)
        out = self.volume.apply(out)
        if self._on_played is not None:
            self._on_played(out)
        self._observe(out)
        if flushes != self._flushes_seen:
            self._flushes_seen = flushes
            if self._on_silenced is not None:
                self._on_silenced(_audible_until(out))
        return out

    def _observe(self, out: NDArray[np.int16]) -> None:
        was_active = self._quiet_for < _QUIET
        self._quiet_for = 0 if is_audible(out) else min(_QUIET, self._quiet_for + out.size)
        is_active = self._quiet_for < _QUIET
        if is_active is not was_active and self._on_activity is not None:
            self._on_activity(is_active)


def _mixed(one: NDArray[np.int16], other: NDArray[np.int16]) -> NDArray[np.int16]:
    if not one.any():
        return other
    limits = np.iinfo(np.int16)
    mixed: NDArray[np.int32] = np.clip(one.astype(np.int32) + other, limits.min, limits.max)
    return mixed.astype(np.int16)


def _audible_until(samples: NDArray[np.int16]) -> int:
    """Behind the last sample that can be heard; 0 when none can."""
    loud = np.flatnonzero((samples >= AUDIBLE_PEAK) | (samples <= -AUDIBLE_PEAK))
    return int(loud[-1]) + 1 if loud.size else 0
