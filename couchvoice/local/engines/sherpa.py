"""Recognition by a sherpa-onnx model that the owner has: any speech, in the languages of the model, offline.

The kind of model is told by its files. Not part of an extra: the package and a model are the owner's choice.
Law: a folder that cannot be used is a ConfigError when the server starts.
"""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from couchvoice.audio.frames import AudioFrame, float_from_pcm16
from couchvoice.errors import ConfigError
from couchvoice.local.engines.engine_failed import EngineFailed
from couchvoice.local.engines.heard import NOTHING, Heard
from couchvoice.local.resample import RATE, resample

_ENGINE = "sherpa-onnx"
_EXPECTED = (
    "tokens.txt with encoder, decoder and joiner (transducer), with encoder and decoder (Whisper), or with a single "
    "model .onnx whose name or folder says sense-voice or paraformer"
)
_THREADS = 2
_MAX_REASON = 300  # characters of what the library says
_SMALL = ".int8."  # in the name of the quantized file, where a folder has both


class SherpaRecognizer:
    """Loads the model of the folder: some seconds. Raises ConfigError."""

    def __init__(self, folder: Path) -> None:
        self._recognizer = _load(folder)
        self._lock = threading.Lock()  # recognizers are asked from threads; one utterance takes all of its own

    def hear(self, samples: NDArray[np.int16], rate: int) -> Heard:
        """Blocking: a fraction of the utterance's length. ``share`` is 1 or 0. Raises EngineFailed."""
        if not samples.size:
            return NOTHING
        sound = resample(AudioFrame(samples, rate), RATE).samples
        try:
            with self._lock:
                stream = self._recognizer.create_stream()
                stream.accept_waveform(RATE, float_from_pcm16(sound))
                self._recognizer.decode_stream(stream)
                text = str(stream.result.text).strip()
        except RuntimeError as exc:  # what the library's C++ throws
            raise EngineFailed(_ENGINE, str(exc)) from exc
        return Heard(text, share=1.0, nearest=text) if text else NOTHING


def _load(folder: Path) -> Any:
    """A sherpa_onnx.OfflineRecognizer, which has no types."""
    factory, options = _recipe(folder)
    try:
        import sherpa_onnx
    except ImportError as exc:
        raise ConfigError(f"the model {folder} needs {_ENGINE}: pip install sherpa-onnx") from exc
    try:
        return getattr(sherpa_onnx.OfflineRecognizer, factory)(**options, num_threads=_THREADS)
    except (RuntimeError, ValueError, AssertionError) as exc:  # the files are none of this kind, or broken
        raise ConfigError(f"{_ENGINE} cannot use the model {folder}: {str(exc).strip()[:_MAX_REASON]}") from exc


def _recipe(folder: Path) -> tuple[str, dict[str, str]]:
    """The constructor for this kind of model, and what to give it. Raises ConfigError."""
    patterns = {"tokens": "*tokens.txt"} | {part: f"*{part}*.onnx" for part in ("encoder", "decoder", "joiner")}
    files = {name: str(path) for name, pattern in patterns.items() if (path := _only(folder, pattern))}
    model = _only(folder, "*.onnx")
    name = f"{folder.resolve().name}/{model.name}".lower() if model else ""
    match sorted(files):
        case ["decoder", "encoder", "joiner", "tokens"]:
            # Without a type the library reads it from the model, so that NeMo's transducers work, too.
            return "from_transducer", files | {"model_type": ""}
        case ["decoder", "encoder", "tokens"]:
            return "from_whisper", files | {"language": ""}  # find out
        case ["tokens"] if "sense" in name:
            return "from_sense_voice", files | {"model": str(model)}
        case ["tokens"] if "paraformer" in name:
            return "from_paraformer", files | {"paraformer": str(model)}
    raise ConfigError(f"{folder} holds no model for {_ENGINE}: expected {_EXPECTED}")


def _only(folder: Path, pattern: str) -> Path | None:
    """The file, the quantized one if there are several."""
    found = sorted(folder.glob(pattern), key=lambda path: (_SMALL not in path.name, path.name))
    return found[0] if found else None
