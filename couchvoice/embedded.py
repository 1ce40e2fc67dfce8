"""Both offline ends in this process: the backend and the local Realtime server, without a port.

Law: nothing starts that was not asked for, and all that started has ended when the context is left.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from couchvoice.errors import ConfigError
from couchvoice.local.engine_options import Endpoint, EngineOptions
from couchvoice.local.server_options import MAX_SESSIONS, SESSION_LIMIT, ServerOptions
from couchvoice.private import Private
from couchvoice.settings import REALTIME_BASE_URLS, Settings

if TYPE_CHECKING:
    from couchvoice.local.http.app import RealtimeApp

__all__ = [
    "BACKEND_URL",
    "LOCAL_KEY",
    "MAX_SESSIONS",
    "REALTIME_URL",
    "SESSION_LIMIT",
    "Endpoint",
    "Ends",
    "EngineOptions",
    "ServerOptions",
    "embedded_ends",
    "new_backend_app",
    "new_voice",
    "running_realtime_app",
]

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
        async with (
            running_realtime_app(EngineOptions(recordings=recordings, phrases=phrases)) as app,
            app.asgi.router.lifespan_context(app.asgi),
            _running_backend(settings, app.asgi) as backend,
        ):
            yield Ends(BACKEND_URL, backend, REALTIME_URL, app.asgi)
    else:
        async with _running_backend(settings, None) as backend:
            yield Ends(BACKEND_URL, backend, settings.realtime_url, None)


@asynccontextmanager
async def running_realtime_app(
    engines: EngineOptions | None = None, server: ServerOptions | None = None
) -> AsyncIterator[RealtimeApp]:
    """The local Realtime server as an application with a lifespan, and its engines. Raises ConfigError."""
    from couchvoice.local.engines.choose_engines import running_engines
    from couchvoice.local.http.app import RealtimeApp

    async with running_engines(engines or EngineOptions()) as parts:
        yield RealtimeApp(parts, server)


def new_voice() -> Any:
    """What can speak on this machine: ``await voice.speak(text, voice=NAME)`` is an AudioFrame."""
    from couchvoice.local.engines.voice import choose_voice

    return choose_voice()


def new_backend_app(
    settings: Settings, *, realtime_app: Any = None, realtime_url: str | None = None, finalize_at_shutdown: bool = True
) -> Any:
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
    return create_app(
        store=SqlStore(settings.database),
        provider=provider,
        session=settings.session,
        finalize_at_shutdown=finalize_at_shutdown,
    )


@asynccontextmanager
async def _running_backend(settings: Settings, realtime_app: Any) -> AsyncIterator[Any]:
    url = REALTIME_URL if realtime_app is not None else None
    # It ends with its one talk, which has ended its session, or was told not to.
    backend = new_backend_app(settings, realtime_app=realtime_app, realtime_url=url, finalize_at_shutdown=False)
    async with backend.router.lifespan_context(backend):
        yield backend


def _api_key(settings: Settings, provider: str) -> Private:
    if provider == "local":
        return Private(LOCAL_KEY)
    if not settings.openai_api_key:
        raise ConfigError("the provider openai needs a key: set OPENAI_API_KEY, or use --provider local")
    return settings.openai_api_key
