"""The ear: what arrives, on one clock, with the speech found in it.

The detector counts from where it began to listen; all that leaves here is on the clock of the input.
Law: no wall clock. A gap in the far end's timeline is silence, so that the clock stays true.
"""

from __future__ import annotations

from dataclasses import replace

from couchvoice.audio.frames import FRAME_MS, FRAME_SAMPLES, SAMPLE_RATE, AudioFrame, silence
from couchvoice.local.detector import SpeechDetector, SpeechStarted, SpeechStopped
from couchvoice.local.input_buffer import IDLE_LIMIT, InputAudioBuffer
from couchvoice.local.resample import RATE, Downsampler

MAX_GAP_MS = 2000  # ms of silence for one gap in the far end's timeline


class Ear:
    """Hears nothing but sound until ``detect`` is called."""

    def __init__(self) -> None:
        self._downsampler = Downsampler()  # once, for the buffer and the detector
        self._buffer = InputAudioBuffer()
        self._detector: SpeechDetector | None = None
        self._began = 0  # ms: the input clock when the detector began to listen

    @property
    def now_ms(self) -> int:
        """The input clock."""
        return self._buffer.end_ms

    def hear(self, frame: AudioFrame) -> list[SpeechStarted | SpeechStopped]:
        """The events that this frame completes."""
        heard = AudioFrame(self._downsampler.push(frame), RATE)
        self._buffer.append(heard)
        if self._detector is None:
            return []
        events = [self._on_our_clock(event) for event in self._detector.feed(heard)]
        if not self._detector.speaking:
            self._buffer.discard_before(self.now_ms - IDLE_LIMIT)
        return events

    def miss(self, gap_ms: float) -> list[SpeechStarted | SpeechStopped]:
        """So much did not arrive."""
        nothing = AudioFrame(silence(FRAME_SAMPLES), SAMPLE_RATE)
        return [event for _ in range(int(min(gap_ms, MAX_GAP_MS) / FRAME_MS)) for event in self.hear(nothing)]

    def cut(self, start_ms: int, end_ms: int) -> AudioFrame:
        return self._buffer.cut(start_ms, end_ms)

    def clear(self) -> None:
        """Forget what arrived; the clock goes on."""
        self._buffer.clear()

    def detect(self, *, threshold: float, prefix_padding_ms: int, silence_duration_ms: int) -> None:
        """Look for speech from now on, or go on with other numbers."""
        if self._detector is None:
            self._detector, self._began = SpeechDetector(), self.now_ms
        self._detector.reconfigure(
            threshold=threshold, prefix_padding_ms=prefix_padding_ms, silence_duration_ms=silence_duration_ms
        )

    def detect_nothing(self) -> None:
        self._detector = None

    def _on_our_clock(self, event: SpeechStarted | SpeechStopped) -> SpeechStarted | SpeechStopped:
        if isinstance(event, SpeechStarted):
            return replace(event, audio_start_ms=event.audio_start_ms + self._began)
        return replace(event, audio_end_ms=event.audio_end_ms + self._began)
