"""One received stream, played: which sound comes next, decided 10 to 20 ms at a time.

The playhead is a place on the stream's own timeline (RTP timestamps). A packet that is there is decoded; a lost one is
recovered or guessed at; when nothing is there, time stands still for the stream, so that what is only late is heard.
Law: the playhead never goes back, every sample of the stream is played at most once, and the delay moves towards its
target by repeating or leaving out single periods of the sound, or unheard in a pause.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from couchvoice.audio import stretch
from couchvoice.audio.comfort_noise import ComfortNoise
from couchvoice.audio.delay_target import DelayTarget
from couchvoice.audio.frames import FRAME_SAMPLES, SAMPLE_RATE, is_audible, silence
from couchvoice.audio.opus import InvalidPacket, OpusDecoder, has_fec
from couchvoice.audio.packet_buffer import MediaPacket, PacketBuffer, StreamCounts, TimedPacket

START_MS = 40  # ms that are buffered, or waited for, before anything is known of the network
BACKLOG_MS = 200  # ms of what came while nobody listened that are still played: before the beginning, or after a stall
STEP_MS = 10  # ms of one decision while nothing is there to decode
GUESS_LIMIT_MS = 120  # ms that are guessed at, then comes comfort noise: a far end may just have stopped sending
GUESS_FADE_MS = 60  # ms in which the guess gives way to it
GAP_LIMIT_MS = 1000  # ms of the stream's timeline that are lived through: a longer gap is jumped over
LONGER_MS = 3  # ms that the delay may be too short before it is corrected: soon nothing would be there
SHORTER_MS = 8  # ms that it may be too long
CALM_MS = 80  # ms between two corrections of a delay that is only a little (less than this) off its target
RESTART = 25  # packets in a row that are all too late: the far end has begun its timeline anew

_PER_MS = SAMPLE_RATE // 1000
_START = START_MS * _PER_MS
_BACKLOG = BACKLOG_MS * _PER_MS
_STEP = STEP_MS * _PER_MS
_GUESS_LIMIT = GUESS_LIMIT_MS * _PER_MS
_GUESS_FADE = GUESS_FADE_MS * _PER_MS
_GAP_LIMIT = GAP_LIMIT_MS * _PER_MS
_LONGER = LONGER_MS * _PER_MS
_SHORTER = SHORTER_MS * _PER_MS
_CALM = CALM_MS * _PER_MS
_FADE_IN = 5 * _PER_MS
PATIENCE = 2 * FRAME_SAMPLES  # that were filled in already when a copy of what was lost came: more is not said twice
_OPUS_UNIT = SAMPLE_RATE // 400  # libopus conceals multiples of 2.5 ms
_DTX_BYTES = 2  # RFC 6716 §3.1, RFC 7587 §3.1.3: a packet of one or two bytes says that there is nothing to say


class StreamPlayer:
    """``played`` counts the samples that were made for the card so far: the only time there is."""

    def __init__(self, counts: StreamCounts) -> None:
        self._counts = counts
        self._packets = PacketBuffer(counts)
        self._target = DelayTarget()
        self._decoder = OpusDecoder()
        self._noise = ComfortNoise()
        self._playhead: int | None = None  # None: nothing was played yet
        self._waited = 0  # samples since the first packet came, until the beginning
        self._last_sequence = 0  # of the packet that was decoded last
        self._pausing = True  # the far end fell silent with that packet
        self._held = 0  # samples that were made since then while the playhead stood
        self._filled = 0  # samples that were made since then
        self._torn = False  # what comes next does not follow on what was played last
        self._corrected_at = 0  # in samples played
        self._too_late = 0  # packets in a row
        self._block = 0

    @property
    def restarted(self) -> bool:
        """The far end goes on with a timeline that this player cannot follow."""
        return self._too_late >= RESTART

    @property
    def playhead(self) -> int | None:
        return self._playhead

    @property
    def end(self) -> int | None:
        """Where the sound that is here ends."""
        return self._packets.end if self._packets.end is not None else self._playhead

    @property
    def delay_ms(self) -> float:
        """What a typical packet waits until it is played."""
        return self._target.typical_wait_ms(self._block)

    def put(self, packet: MediaPacket, now: int) -> None:
        """A packet came when ``now`` samples had been taken by the card."""
        timed = self._packets.timed(packet)
        if timed is None:
            return
        before = self._packets.sequence_before(timed)
        self._target.add(timed.start - now)
        if before is not None and before != timed.sequence - 1 and has_fec(packet.payload):
            self._target.recoverable(timed.end - timed.start)
        if self._playhead is not None and timed.end <= self._playhead:
            self._counts.late += 1
            self._too_late += 1
            return
        dropped = self._counts.dropped
        if self._packets.put(timed):
            self._too_late = 0
        first = self._packets.first
        if self._playhead is not None and first is not None and self._counts.dropped > dropped:
            # The card stood still for longer than anything may wait: else each packet would push out another one, and
            # the delay would stay at its limit with every other frame made up.
            self._skip_backlog(first)

    def next_piece(self, played: int, block: int) -> NDArray[np.int16]:
        """What is to be heard from sample ``played`` on: some 10 to 40 ms. The card takes ``block`` at a time."""
        self._block = block
        first = self._packets.first
        if self._playhead is None:
            return self._begin(first, played)
        if first is None:
            return self._hold()
        return self._go_on(first, self._playhead, played)

    def _begin(self, first: TimedPacket | None, played: int) -> NDArray[np.int16]:
        if first is None:
            return silence(_STEP)
        assert self._packets.end is not None  # there is a first one
        wanted = max(_START, self._block + first.end - first.start)
        if self._packets.end - first.start < wanted and self._waited < wanted:
            self._waited += _STEP
            return silence(_STEP)
        self._target = DelayTarget()
        return self._play(self._skip_backlog(first), played)

    def _skip_backlog(self, first: TimedPacket) -> TimedPacket:
        """Go on with what is new: what waits too long is not worth hearing, and not worth a guess in its place."""
        assert self._packets.end is not None  # there is a first one
        while (second := self._packets.second) is not None and self._packets.end - second.start >= _BACKLOG:
            self._counts.dropped += first.end - first.start
            self._packets.pop()
            first = second
        self._playhead, self._last_sequence = first.start, first.sequence - 1
        self._held, self._torn = 0, True
        return first

    def _hold(self) -> NDArray[np.int16]:
        """Nothing is there: the playhead stands."""
        if not self._filled and not self._pausing:
            self._counts.underruns += 1
        self._held += _STEP
        return self._fill(_STEP)

    def _go_on(self, first: TimedPacket, playhead: int, played: int) -> NDArray[np.int16]:
        playhead = self._playhead = self._live_through(first, playhead)
        gap, surplus = first.start - playhead, self._surplus(playhead, played)
        if self._pausing and self._filled and surplus < -_LONGER:
            return self._fill(_STEP)  # a pause is a good moment to wait for more
        if gap <= 0:
            return self._play(first, played)
        if first.sequence == self._last_sequence + 1:
            return self._pass_pause(first, gap, surplus, played)
        if surplus < -_STEP:
            return self._fill(_STEP)  # the delay is too short anyway: what is missing may still come
        return self._bridge(first, gap)

    def _live_through(self, first: TimedPacket, playhead: int) -> int:
        """The playhead, had it moved while nothing was there: only what is late is worth the delay."""
        held, self._held = self._held, 0
        gap = first.start - playhead
        if gap > _GAP_LIMIT:
            self._target = DelayTarget()  # it knows the old timeline only
            return first.start
        spared = _recoverable(first) if held <= PATIENCE else 0
        return playhead + max(0, min(gap - spared, held))

    def _pass_pause(self, first: TimedPacket, gap: int, surplus: int, played: int) -> NDArray[np.int16]:
        """The far end sent nothing for a while (DTX): nothing is lost, and some of the pause may be left out."""
        assert self._playhead is not None  # as in next_piece
        left_out = max(0, min(gap, surplus))
        self._playhead += left_out
        if gap == left_out:
            return self._play(first, played)
        piece = self._fill(min(_STEP, gap - left_out))
        self._playhead += piece.size
        return piece

    def _bridge(self, first: TimedPacket, gap: int) -> NDArray[np.int16]:
        """Packets are missing before the first one that is here."""
        assert self._playhead is not None  # as in next_piece
        recoverable = _recoverable(first)
        if gap == recoverable:
            piece = self._decoder.recover(first.payload, gap)
            self._counts.recovered += piece.size
            self._filled = 0
        else:
            piece = self._fill(min(FRAME_SAMPLES, gap - recoverable if gap > recoverable else gap))
        self._playhead += piece.size
        return piece

    def _play(self, first: TimedPacket, played: int) -> NDArray[np.int16]:
        assert self._playhead is not None  # as in next_piece
        surplus = self._surplus(self._playhead, played)
        piece = self._decoded(self._packets.pop())
        if surplus > _SHORTER and (second := self._packets.first) is not None and second.start == self._playhead:
            # One period of a deep voice is found in no less.
            piece = np.concatenate([piece, self._decoded(self._packets.pop())])
        return self._corrected(piece, surplus, played)

    def _decoded(self, packet: TimedPacket) -> NDArray[np.int16]:
        assert self._playhead is not None  # as in next_piece
        try:
            sound = self._decoder.decode(packet.payload)
        except InvalidPacket:
            self._counts.invalid += 1
            sound = self._decoder.conceal(packet.end - packet.start)
        if self._torn or self._filled > _GUESS_LIMIT:
            sound[:_FADE_IN] = sound[:_FADE_IN] * np.linspace(0, 1, _FADE_IN, dtype=np.float32)
        # The beginning of a packet that came late was guessed at already.
        sound = sound[max(0, self._playhead - packet.start) :]
        self._counts.lost += max(0, packet.sequence - self._last_sequence - 1)
        self._playhead, self._last_sequence = packet.end, packet.sequence
        self._pausing = len(packet.payload) <= _DTX_BYTES or not is_audible(sound)
        self._filled = self._held = 0
        self._torn = False
        self._noise.observe(sound)
        self._counts.played += sound.size
        return sound

    def _corrected(self, piece: NDArray[np.int16], surplus: int, played: int) -> NDArray[np.int16]:
        """A period shorter or longer, when the delay is off its target."""
        if -_LONGER <= surplus <= _SHORTER or (abs(surplus) < _CALM and played - self._corrected_at < _CALM):
            return piece
        other = stretch.shorter(piece, surplus) if surplus > 0 else stretch.longer(piece, -surplus)
        if other.size != piece.size:
            self._corrected_at = played
            self._counts.stretched += abs(other.size - piece.size)
        return other

    def _surplus(self, playhead: int, played: int) -> int:
        """How much more delay there is than is needed, in samples."""
        offset = self._target.offset(self._block)
        return 0 if offset is None else offset - (playhead - played)

    def _fill(self, samples: int) -> NDArray[np.int16]:
        """Sound in place of what is not there: first a guess of the decoder's, then comfort noise."""
        share = np.clip((_GUESS_LIMIT - self._filled - np.arange(samples)) / _GUESS_FADE, 0, 1).astype(np.float32)
        noise = self._noise.make(samples)
        if share[0] > 0:
            guess = self._decoder.conceal(-(-samples // _OPUS_UNIT) * _OPUS_UNIT)[:samples]
            filling = np.rint(guess * share + noise * (1 - share)).astype(np.int16)
        else:
            filling = noise
        self._filled += samples
        self._counts.concealed += 0 if self._pausing else samples
        return filling


def _recoverable(packet: TimedPacket) -> int:
    """How much of the sound before this packet it brings with it (in-band FEC: the frame before it)."""
    return packet.end - packet.start if has_fec(packet.payload) else 0
