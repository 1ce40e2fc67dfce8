"""Both offline ends in this process: the backend and the local Realtime server, without a port.

Law: nothing starts that was not asked for, and all that started has ended when the context is left.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple

from couchvoice.errors import ConfigError
from couchvoice.private import Private
from couchvoice.settings import REALTIME_BASE_URLS, Settings

# Names for what answers in this process: nothing listens there, the requests never leave it.
BACKEND_URL = "http://localhost"
REALTIME_URL = "http://localhost/v1"
LOCAL_KEY = "offline"  # the local server takes any key that is not empty, unless told otherwise


class Ends(NamedTuple):
    """Where the two ends are, with the names that ``client.Endpoints`` takes: ``Endpoints(**ends._asdict())``.

    An application answers in this process, in place of a port; None: that end is at its URL.
    """

    backend_url: str
    backend_app: Any
    realtime_url: str | None
    realtime_app: Any


@asynccontextmanager
async def embedded_ends(
    settings: Settings, *, recordings: Sequence[Path] = (), phrases: bool = True
) -> AsyncIterator[Ends]:
    """The backend, and beside it the local Realtime server when the provider is local and has no URL.

    ``recordings`` may be spoken into it (NAME.wav with NAME.txt beside it); ``phrases``: so may what the replies know.
    Raises ConfigError.
    """
    local = (settings.provider or "local") == "local"
    if local and settings.realtime_url is None:
        realtime = await new_realtime_app(recordings=recordings, phrases=phrases)
        async with realtime.router.lifespan_context(realtime), _running_backend(settings, realtime) as backend:
            yield Ends(BACKEND_URL, backend, REALTIME_URL, realtime)
    else:
        async with _running_backend(settings, None) as backend:
            yield Ends(BACKEND_URL, backend, settings.realtime_url, None)


async def new_realtime_app(
    *,
    recordings: Sequence[Path] = (),
    phrases: bool = True,
    replies: Path | None = None,
    api_key: str | None = None,
    strict_lite: bool = False,
) -> Any:
    """The local Realtime server as an ASGI application with a lifespan. Raises ConfigError."""
    from couchvoice.local.app import RealtimeApp
    from couchvoice.local.engines import Engines
    from couchvoice.local.hearing import choose_recognizer
    from couchvoice.local.recordings import load_recordings
    from couchvoice.local.replies import Rules
    from couchvoice.local.voice import choose_voice

    rules = Rules.load(replies)
    # Cutting the recordings into utterances takes a second or so.
    known = await asyncio.to_thread(load_recordings, recordings)
    recognizer = choose_recognizer(recordings=known, phrases=rules.phrases if phrases else ())
    return RealtimeApp(Engines(recognizer, rules, choose_voice()), api_key=api_key, strict_lite=strict_lite).asgi


def new_backend_app(settings: Settings, *, realtime_app: Any = None, realtime_url: str | None = None) -> Any:
    """The backend as an ASGI application with a lifespan. Raises ConfigError."""
    import httpx

    from couchvoice.backend import RealtimeProvider, SqlStore, create_app

    name = settings.provider or "local"
    http = None
    if realtime_app is not None:
        http = httpx.AsyncClient(transport=httpx.ASGITransport(realtime_app))
    provider = RealtimeProvider(
        name, realtime_url or settings.realtime_url or REALTIME_BASE_URLS[name], _api_key(settings, name), http=http
    )
    return create_app(store=SqlStore(settings.database), provider=provider)


@asynccontextmanager
async def _running_backend(settings: Settings, realtime_app: Any) -> AsyncIterator[Any]:
    url = REALTIME_URL if realtime_app is not None else None
    backend = new_backend_app(settings, realtime_app=realtime_app, realtime_url=url)
    async with backend.router.lifespan_context(backend):
        yield backend


def _api_key(settings: Settings, provider: str) -> Private:
    if provider == "local":
        return Private(LOCAL_KEY)
    if not settings.openai_api_key:
        raise ConfigError("the provider openai needs a key: set OPENAI_API_KEY, or use --provider local")
    return settings.openai_api_key
