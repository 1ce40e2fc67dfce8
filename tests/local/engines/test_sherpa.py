"""A folder with a sherpa-onnx model is told by its files; one that cannot be used is refused when the server starts."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from couchvoice.audio.frames import SAMPLE_RATE, AudioFrame, silence
from couchvoice.errors import ConfigError
from couchvoice.local.engine_options import EngineOptions
from couchvoice.local.engines.choose_engines import running_engines
from couchvoice.local.engines.engine_failed import EngineFailed
from couchvoice.local.engines.heard import NOTHING, Heard
from couchvoice.local.engines.sherpa import SherpaRecognizer
from couchvoice.local.resample import RATE

SOUND = np.full(SAMPLE_RATE, 16_384, np.int16)


class Library(ModuleType):
    """In the place of sherpa_onnx, whose models cannot be had offline: its constructors and one recognizer."""

    def __init__(self) -> None:
        super().__init__("sherpa_onnx")
        self.made: dict[str, dict[str, Any]] = {}
        self.heard: list[tuple[int, NDArray[np.float32]]] = []
        self.text = " HELLO THERE "
        self.OfflineRecognizer = self

    def __getattr__(self, name: str) -> Any:
        if not name.startswith("from_"):
            raise AttributeError(name)
        return lambda **options: self.made.update({name: options}) or self

    def create_stream(self) -> SimpleNamespace:
        return SimpleNamespace(
            accept_waveform=lambda rate, samples: self.heard.append((rate, samples)), result=SimpleNamespace(text="")
        )

    def decode_stream(self, stream: SimpleNamespace) -> None:
        if self.text == "broken":
            raise RuntimeError("no such operator")
        stream.result.text = self.text


@pytest.fixture
def library(monkeypatch: pytest.MonkeyPatch) -> Library:
    library = Library()
    monkeypatch.setitem(sys.modules, "sherpa_onnx", library)
    return library


def model(folder: Path, *names: str) -> Path:
    folder.mkdir(exist_ok=True)
    for name in names:
        (folder / name).touch()
    return folder


TRANSDUCER = ("tokens.txt", "encoder-epoch-99.onnx", "encoder-epoch-99.int8.onnx", "decoder.onnx", "joiner.onnx")
KINDS: dict[str, tuple[str, tuple[str, ...], str, dict[str, str]]] = {
    "transducer": (
        "zipformer",
        TRANSDUCER,
        "from_transducer",
        {
            "tokens": "tokens.txt",
            "encoder": "encoder-epoch-99.int8.onnx",
            "decoder": "decoder.onnx",
            "joiner": "joiner.onnx",
        },
    ),
    "whisper": (
        "tiny",
        ("tiny.en-tokens.txt", "tiny.en-encoder.onnx", "tiny.en-decoder.onnx"),
        "from_whisper",
        {"tokens": "tiny.en-tokens.txt", "encoder": "tiny.en-encoder.onnx", "decoder": "tiny.en-decoder.onnx"},
    ),
    "sense-voice": (
        "sherpa-onnx-sense-voice",
        ("tokens.txt", "model.onnx"),
        "from_sense_voice",
        {"tokens": "tokens.txt", "model": "model.onnx"},
    ),
    "paraformer": (
        "some-model",
        ("tokens.txt", "paraformer.onnx"),
        "from_paraformer",
        {"tokens": "tokens.txt", "paraformer": "paraformer.onnx"},
    ),
}


@pytest.mark.parametrize("kind", KINDS)
def test_the_kind_of_model_is_told_by_its_files(kind: str, tmp_path: Path, library: Library) -> None:
    name, files, constructor, expected = KINDS[kind]
    folder = model(tmp_path / name, *files)
    SherpaRecognizer(folder)
    (made,) = library.made.items()
    assert made[0] == constructor
    assert made[1].items() >= {option: str(folder / file) for option, file in expected.items()}.items()


def test_an_utterance_is_heard_at_16_khz(tmp_path: Path, library: Library) -> None:
    recognizer = SherpaRecognizer(model(tmp_path, *TRANSDUCER))
    assert recognizer.hear(SOUND, SAMPLE_RATE) == Heard("HELLO THERE", 1.0, "HELLO THERE")
    ((rate, samples),) = library.heard
    assert (rate, samples.size) == (RATE, RATE)
    assert samples.dtype == np.float32
    assert np.median(samples) == pytest.approx(0.5, abs=0.01)


def test_no_words_are_nothing(tmp_path: Path, library: Library) -> None:
    recognizer = SherpaRecognizer(model(tmp_path, *TRANSDUCER))
    library.text = " "
    assert recognizer.hear(SOUND, SAMPLE_RATE) == NOTHING
    assert recognizer.hear(silence(0), SAMPLE_RATE) == NOTHING


def test_a_model_that_fails_on_an_utterance_is_an_engine_that_failed(tmp_path: Path, library: Library) -> None:
    recognizer = SherpaRecognizer(model(tmp_path, *TRANSDUCER))
    library.text = "broken"
    with pytest.raises(EngineFailed, match="sherpa-onnx failed: no such operator"):
        recognizer.hear(SOUND, SAMPLE_RATE)


@pytest.mark.parametrize(
    "files",
    [(), ("tokens.txt",), ("model.onnx",), ("tokens.txt", "model.onnx"), ("tokens.txt", "encoder.onnx")],
)
def test_a_folder_without_a_model_is_told_what_to_hold(files: tuple[str, ...], tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"holds no model .* expected tokens.txt with encoder, decoder and joiner"):
        SherpaRecognizer(model(tmp_path, *files))


def test_a_folder_that_is_not_there_holds_no_model(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="none holds no model"):
        SherpaRecognizer(tmp_path / "none")


def test_without_the_package_one_reads_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sherpa_onnx", None)
    with pytest.raises(ConfigError, match="pip install sherpa-onnx"):
        SherpaRecognizer(model(tmp_path, *TRANSDUCER))


def test_a_model_that_the_library_refuses_is_named(
    tmp_path: Path, library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(**_: object) -> None:
        raise RuntimeError("Protobuf parsing failed.")

    monkeypatch.setattr(library, "from_transducer", refuse, raising=False)
    with pytest.raises(ConfigError, match=r"cannot use the model .*: Protobuf parsing failed"):
        SherpaRecognizer(model(tmp_path, *TRANSDUCER))


async def test_a_server_listens_with_the_model(tmp_path: Path, library: Library) -> None:
    options = EngineOptions(sherpa_onnx=model(tmp_path, *TRANSDUCER))
    async with running_engines(options) as engines:
        assert (await engines.recognizer.hear(AudioFrame(SOUND, SAMPLE_RATE))).text == library.text.strip()
