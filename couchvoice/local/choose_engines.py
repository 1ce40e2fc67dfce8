"""Which engines a local server runs with: those that its owner names, else those that work offline.

Law: what cannot work is said before the server is ready (ConfigError); what fails later ends no session.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from couchvoice.local.engine_options import EngineOptions
from couchvoice.local.engines import Engines, Recognizer
from couchvoice.local.hearing import choose_recognizer
from couchvoice.local.recordings import load_recordings
from couchvoice.local.replies import Rules
from couchvoice.local.voice import choose_voice


@asynccontextmanager
async def running_engines(options: EngineOptions) -> AsyncIterator[Engines]:
    """The chosen engines; whatever they hold open is closed when the context is left. Raises ConfigError."""
    yield await choose_engines(options)


async def choose_engines(options: EngineOptions) -> Engines:
    rules = Rules.load(options.replies)
    return Engines(await _recognizer(options, rules), rules, choose_voice())


async def _recognizer(options: EngineOptions, rules: Rules) -> Recognizer:
    # Cutting the recordings into utterances takes a second or so.
    known = await asyncio.to_thread(load_recordings, options.recordings)
    return choose_recognizer(recordings=known, phrases=rules.phrases if options.phrases else ())
