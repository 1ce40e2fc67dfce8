"""Sound inside events: base64 in the formats of the Realtime API (PCM at 24 kHz, G.711).

Law: what a client sends is checked before it is heard; what it is sent comes in pieces that it can begin to play.
"""

from __future__ import annotations

import base64
import binascii

from couchvoice.audio.frames import AudioFrame, InvalidAudio, base64_from_pcm16, pcm16_from_base64
from couchvoice.local.protocol import g711
from couchvoice.local.protocol.bad_event import BadEvent
from couchvoice.local.resample import resample

MAX_APPEND = 15 * 1024 * 1024  # characters; OpenAI: at most 15 MiB in each event
CHUNK_MS = 200  # ms of sound in one delta, at most

_PCM_RATE = 24_000  # Hz
_LAWS = {"audio/pcmu": g711.MU_LAW, "audio/pcma": g711.A_LAW}


def frame_from_wire(text: str, form: str) -> AudioFrame:
    """What the client appends. Raises BadEvent."""
    if len(text) > MAX_APPEND:
        raise BadEvent("invalid_value", f"Invalid 'audio': more than {MAX_APPEND // 2**20} MiB in one event.", "audio")
    try:
        if law := _LAWS.get(form):
            return AudioFrame(law.decode(base64.b64decode(text, validate=True)), g711.RATE)
        return AudioFrame(pcm16_from_base64(text), _PCM_RATE)
    except (InvalidAudio, binascii.Error, ValueError) as exc:
        raise BadEvent("invalid_value", f"Invalid 'audio': it is not base64 of {form}.", "audio") from exc


def chunks_for_wire(frame: AudioFrame, form: str) -> list[str]:
    """What the client is sent of a sentence."""
    law = _LAWS.get(form)
    sound = resample(frame, g711.RATE if law else _PCM_RATE)
    step = sound.rate * CHUNK_MS // 1000
    pieces = [sound.samples[start : start + step] for start in range(0, sound.samples.size, step)]
    if law:
        return [base64.b64encode(law.encode(piece)).decode("ascii") for piece in pieces]
    return [base64_from_pcm16(piece) for piece in pieces]
