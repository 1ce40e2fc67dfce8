"""Sound as the bytes of a file: FLAC where every sample counts, Opus in Ogg where the size does.

Law: one channel of int16 at 48 kHz on this side, and as many samples come back as went in.
"""

from __future__ import annotations

import io
from fractions import Fraction
from itertools import chain

import av
import av.error
import numpy as np
from av.audio.stream import AudioStream
from numpy.typing import NDArray

from couchvoice.audio.frames import SAMPLE_RATE, silence
from couchvoice.audio.resample import joined

OPUS_BITRATE = 24_000  # bit/s: speech of one person, as a listener likes it
OPUS_COMPLEXITY = "5"  # of 10

_OPUS = {"application": "voip", "compression_level": OPUS_COMPLEXITY}
_TIME_BASE = Fraction(1, SAMPLE_RATE)


class DamagedSound(Exception):
    """Bytes that are no sound file."""


def flac_from_samples(samples: NDArray[np.int16]) -> bytes:
    """Lossless: 25 ms of CPU for a minute."""
    return _encoded(samples, "flac", "flac", {}, bitrate=None)


def ogg_from_samples(samples: NDArray[np.int16]) -> bytes:
    """What browsers play: about 150 kB for a minute of speech, a fifth of a second of CPU."""
    return _encoded(samples, "ogg", "libopus", _OPUS, bitrate=OPUS_BITRATE)


def webm_from_sides(left: NDArray[np.int16], right: NDArray[np.int16]) -> bytes:
    """Opus in WebM, which every browser plays: one side left, the other right."""
    sides = np.zeros((max(left.size, right.size, 1), 2), dtype=np.int16)
    sides[: left.size, 0], sides[: right.size, 1] = left, right
    return _encoded(sides, "webm", "libopus", _OPUS, bitrate=2 * OPUS_BITRATE)


def samples_from_file(content: bytes) -> NDArray[np.int16]:
    """The inverse of both. Raises DamagedSound."""
    resampler = av.AudioResampler(format="s16", layout="mono", rate=SAMPLE_RATE)
    try:
        with av.open(io.BytesIO(content), mode="r") as container:
            blocks = [joined(resampler.resample(frame)) for frame in chain(container.decode(audio=0), [None])]
    except (av.error.FFmpegError, ValueError, IndexError) as exc:
        raise DamagedSound(str(exc)) from exc
    return np.concatenate([silence(0), *blocks])


def _encoded(
    samples: NDArray[np.int16], container: str, codec: str, options: dict[str, str], *, bitrate: int | None
) -> bytes:
    """``samples``: one row each; a second dimension for its channels."""
    content = io.BytesIO()
    # A file without one frame is none: its reader would complain.
    samples = samples if len(samples) else silence(1)
    layout = "mono" if samples.ndim == 1 else "stereo"
    with av.open(content, mode="w", format=container) as output:
        stream = output.add_stream(codec, rate=SAMPLE_RATE, layout=layout, options=options)
        assert isinstance(stream, AudioStream)  # all of these codecs are of sound
        if bitrate is not None:
            stream.bit_rate = bitrate
        for start in range(0, len(samples), SAMPLE_RATE):
            output.mux(stream.encode(_frame(samples[start : start + SAMPLE_RATE], start, layout)))
        output.mux(stream.encode(None))
    return content.getvalue()


def _frame(samples: NDArray[np.int16], start: int, layout: str) -> av.AudioFrame:
    frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(samples).reshape(1, -1), format="s16", layout=layout)
    frame.sample_rate, frame.pts, frame.time_base = SAMPLE_RATE, start, _TIME_BASE
    return frame
