"""Which engines a local server runs with: those that its owner names, else those that work offline.

Law: what cannot work is said before the server is ready (ConfigError); what fails later ends no session.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from couchvoice.errors import ConfigError
from couchvoice.local.engine_options import EngineOptions
from couchvoice.local.engines import Engines, Recognizer
from couchvoice.local.engines.chat_endpoint import ChatEndpoint
from couchvoice.local.engines.hearing import OfflineHearing, choose_recognizer
from couchvoice.local.engines.recordings import load_recordings
from couchvoice.local.engines.replies import Rules
from couchvoice.local.engines.sherpa import SherpaRecognizer
from couchvoice.local.engines.speech_endpoint import SpeechEndpoint
from couchvoice.local.engines.transcription_endpoint import TranscriptionEndpoint
from couchvoice.local.engines.voice import choose_voice

_Held = OfflineHearing | TranscriptionEndpoint | ChatEndpoint | SpeechEndpoint


@asynccontextmanager
async def running_engines(options: EngineOptions) -> AsyncIterator[Engines]:
    """The chosen engines; the threads and connections they hold end with the context. Raises ConfigError."""
    engines = await _chosen(options)
    try:
        yield engines
    finally:
        for engine in (engines.recognizer, engines.replier, engines.voice):
            if isinstance(engine, _Held):
                await engine.close()


async def _chosen(options: EngineOptions) -> Engines:
    if options.transcription and options.sherpa_onnx:
        raise ConfigError("two recognizers: name a transcription endpoint or a sherpa-onnx model, not both")
    rules = Rules.load(options.replies)
    replier = ChatEndpoint(options.chat) if options.chat else rules
    voice = SpeechEndpoint(options.speech) if options.speech else choose_voice()
    # Last: it may start a process, which nobody would end if one of the others were refused.
    return Engines(recognizer=await _recognizer(options, rules), replier=replier, voice=voice)


async def _recognizer(options: EngineOptions, rules: Rules) -> Recognizer:
    if options.transcription:
        return TranscriptionEndpoint(options.transcription)
    # A model takes seconds to load; so does cutting the recordings into utterances.
    model = await asyncio.to_thread(SherpaRecognizer, options.sherpa_onnx) if options.sherpa_onnx else None
    known = await asyncio.to_thread(load_recordings, options.recordings)
    return choose_recognizer(recordings=known, phrases=rules.phrases if options.phrases else (), model=model)
