"""One answer: what a response says, and how far the ear has got with it.

Law: ``text`` and ``heard_out`` are derived; only the ear (``ear.py``) writes the fields.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, field


class Sound(enum.Enum):
    NONE = "none"  # nothing audible belongs to this answer so far
    COMING = "coming"  # it has audio, and no output_audio_buffer event has come
    PLAYING = "playing"  # output_audio_buffer.started
    OVER = "over"  # heard out, or cut


@dataclass(slots=True, eq=False)
class Answer:
    parts: dict[tuple[int, int], str] = field(default_factory=dict)  # by output_index and content_index
    final: set[tuple[int, int]] = field(default_factory=set)  # the parts whose whole text has come
    sound: Sound = Sound.NONE
    sounded_at: float | None = None
    worded_at: float | None = None  # its first word
    done_at: float | None = None
    status: str | None = None  # as response.done said it
    cut: bool = False  # cancelled, or spoken over while it could be heard
    written: bool = False  # it came as text: the provider gives it no sound
    spoken_here: bool = False  # so it is given one here, and no provider's event times its end out

    @property
    def text(self) -> str:
        return " ".join(text for _, text in sorted(self.parts.items()) if text)

    @property
    def sounding(self) -> bool:
        """It can be heard, or is about to be."""
        return self.sound in (Sound.COMING, Sound.PLAYING)

    @property
    def heard_out(self) -> bool:
        return self.done_at is not None and not self.sounding
