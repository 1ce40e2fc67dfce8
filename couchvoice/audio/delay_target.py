"""How long to keep packets before they are played: as short as the network lets it be, and no shorter.

Time is counted in samples that the card has taken, so the estimate needs no clock, and what the card does (its blocks
in bursts, its crystal's drift) counts like what the network does.
Law: the target follows what came lately; one bad second is forgotten after a few good ones.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import deque

WINDOW = 180  # packets that are remembered: 3.6 s of 20 ms packets
MARGIN_MS = 3  # ms, and one block of the card, before it is needed that a packet should be here
RECOVERY_WINDOW = 500  # packets (10 s) for which one that brought back a lost one is remembered
LARGEST_MS = 400  # ms of spread that is waited for: more is not a conversation any more

_PER_MS = 48
_MARGIN = MARGIN_MS * _PER_MS
_LARGEST = LARGEST_MS * _PER_MS


class DelayTarget:
    """``lead`` of a packet: its place on the stream's timeline less the samples that were played when it came."""

    def __init__(self) -> None:
        self._leads: deque[int] = deque()
        self._sorted: list[int] = []
        self._recovery = 0  # samples that a lost packet is waited for, until the next one brings it
        self._since_recovery = 0  # packets

    def recoverable(self, samples: int) -> None:
        """The packet that comes now holds a copy of a lost one, so many samples long, which is worth waiting for.

        For as long as that may happen again: with a wait of its own for each loss the sound would stretch and shrink
        all the time, which is worse to hear than one frame more of delay.
        """
        self._recovery, self._since_recovery = samples, 0

    def add(self, lead: int) -> None:
        """A packet came, in time or not."""
        self._since_recovery += 1
        if self._since_recovery > RECOVERY_WINDOW:
            self._recovery = 0
        self._leads.append(lead)
        insort(self._sorted, lead)
        if len(self._leads) > WINDOW:
            del self._sorted[bisect_left(self._sorted, self._leads.popleft())]

    def offset(self, block: int) -> int | None:
        """The playhead's place less the samples played, at which all remembered packets come in time. None: not known.

        ``block``: how many samples the card takes at a time. Between two of them nobody sees a packet come, so all of
        them may seem to come a whole block later from one moment to the next.
        """
        if not self._sorted:
            return None
        # Each late packet is a guess that is heard: one in a hundred costs more than the time to wait for it.
        latest, typical = self._sorted[0], self._sorted[len(self._sorted) // 2]
        return max(latest, typical - _LARGEST) - _MARGIN - block - self._recovery

    def typical_wait_ms(self, block: int) -> float:
        """From a typical packet's arrival to its sound, once the target is reached."""
        offset = self.offset(block)
        return 0.0 if offset is None else (self._sorted[len(self._sorted) // 2] - offset) / _PER_MS
