"""The engines of a server are those that its owner names, and they are closed with it."""

from __future__ import annotations

import gc
from pathlib import Path

import numpy as np
import pytest

from couchvoice.audio.frames import AudioFrame
from couchvoice.errors import ConfigError
from couchvoice.local.engine_options import Endpoint, EngineOptions
from couchvoice.local.engines.chat_endpoint import ChatEndpoint
from couchvoice.local.engines.choose_engines import running_engines
from couchvoice.local.engines.replies import Rules
from couchvoice.local.engines.speech_endpoint import SpeechEndpoint
from couchvoice.local.engines.transcription_endpoint import TranscriptionEndpoint
from couchvoice.local.resample import RATE
from tests.local.caller import known
from tests.local.engines.far_end import far_end
from tests.local.speech import FIXTURES

ENDPOINT = Endpoint(url="http://127.0.0.1:1/v1", model="m")


async def starting(options: EngineOptions) -> None:
    async with running_engines(options):
        pass


async def test_without_a_word_all_engines_work_offline() -> None:
    async with running_engines(EngineOptions(recordings=[FIXTURES / "first-talk.wav"], phrases=False)) as engines:
        assert isinstance(engines.replier, Rules)
        assert (await engines.voice.speak("Good morning.", voice="alloy")).samples.size
        first = known("first-talk")[0]
        assert (await engines.recognizer.hear(AudioFrame(first.samples, first.rate))).text == first.text


async def test_an_endpoint_takes_the_place_of_its_engine() -> None:
    options = EngineOptions(transcription=ENDPOINT, chat=ENDPOINT, speech=ENDPOINT)
    async with running_engines(options) as engines:
        assert isinstance(engines.recognizer, TranscriptionEndpoint)
        assert isinstance(engines.replier, ChatEndpoint)
        assert isinstance(engines.voice, SpeechEndpoint)


async def test_its_connections_are_closed_with_the_server() -> None:
    async with far_end() as end:
        async with running_engines(EngineOptions(transcription=end.endpoint)) as engines:
            await engines.recognizer.hear(AudioFrame(np.ones(RATE, np.int16), RATE))
        with pytest.raises(RuntimeError, match="closed"):
            await engines.recognizer.hear(AudioFrame(np.ones(RATE, np.int16), RATE))


async def test_a_refused_engine_leaves_no_process_of_another() -> None:
    with pytest.raises(ConfigError):
        await starting(EngineOptions(chat=Endpoint(url="http://example.com/v1", model="m")))
    gc.collect()  # a process that nobody ended says so


async def test_two_recognizers_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="not both"):
        await starting(EngineOptions(transcription=ENDPOINT, sherpa_onnx=tmp_path))


@pytest.mark.row("C14")
@pytest.mark.parametrize("engine", ["transcription", "chat", "speech"])
async def test_an_endpoint_that_is_not_encrypted_is_refused_at_once(engine: str) -> None:
    with pytest.raises(ConfigError, match=r'"http://example\.com/v1" is not encrypted'):
        await starting(EngineOptions(**{engine: Endpoint(url="http://example.com/v1", model="m")}))  # type: ignore[arg-type]
