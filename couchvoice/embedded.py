"""Both offline ends in this process: the backend and the local Realtime server, without a port.

Law: nothing starts that was not asked for, and all that started has ended when the context is left.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from couchvoice.errors import ConfigError
from couchvoice.local.engine_options import Endpoint, EngineOptions
from couchvoice.local.server_options import MAX_SESSIONS, SESSION_LIMIT, ServerOptions
from couchvoice.settings import Settings

if TYPE_CHECKING:
    from couchvoice.cassette import Cassette
    from couchvoice.local.http.app import RealtimeApp
    from couchvoice.local.replay.player import Deck

__all__ = [
    "BACKEND_URL",
    "MAX_SESSIONS",
    "REALTIME_URL",
    "SESSION_LIMIT",
    "Endpoint",
    "Ends",
    "EngineOptions",
    "ServerOptions",
    "check_provider_faults",
    "embedded_backend",
    "embedded_ends",
    "missing_key",
    "new_deck",
    "new_guarded_backend_app",
    "new_voice",
    "running_realtime_app",
    "teach",
]

# Names for what answers in this process: nothing listens there, the requests never leave it.
BACKEND_URL = "http://localhost"
REALTIME_URL = "http://localhost/v1"


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
    settings: Settings,
    *,
    recordings: Sequence[Path] = (),
    phrases: bool = True,
    replies: Path | None = None,
    tools: Sequence[Any] = (),
    server: ServerOptions | None = None,
    replay: Deck | None = None,
    now: Callable[[], datetime] | None = None,
) -> AsyncIterator[Ends]:
    """The backend, and beside it the local Realtime server when the provider is local and has no URL.

    ``recordings`` may be spoken into it (NAME.wav with NAME.txt beside it); ``phrases``: so may what the replies know.
    ``replies`` is a file of rules of your own; ``tools`` are yours beside the backend's; ``server`` is how the
    Realtime server serves; ``replay``, of ``new_deck``, is what it plays in place of hearing and answering; by ``now``
    the backend counts the silence that ends a session. Raises ConfigError.
    """
    engines = EngineOptions(recordings=recordings, phrases=phrases, replies=replies)
    local = (settings.provider or "local") == "local"
    if local and settings.realtime_url is None:
        async with (
            running_realtime_app(engines, server, replay=replay) as app,
            app.asgi.router.lifespan_context(app.asgi),
            _running_backend(settings, app.asgi, tools, now) as backend,
        ):
            yield Ends(BACKEND_URL, backend, REALTIME_URL, app.asgi)
    else:
        # A server says so to whoever asks it; here, who can set the key is at the keyboard.
        if missing := missing_key(settings):
            raise ConfigError(missing)
        async with _running_backend(settings, None, tools, now) as backend:
            yield Ends(BACKEND_URL, backend, None, None)


async def teach(realtime_app: Any, recordings: Sequence[Path]) -> None:
    """Let an embedded Realtime server that is running know more recordings; any other (None) does without.

    Raises ConfigError for a recording that cannot be read, or does not fit the text beside it.
    """
    from couchvoice.local.engines.hearing import OfflineHearing
    from couchvoice.local.engines.recordings import load_recordings

    known = await asyncio.to_thread(load_recordings, recordings)
    if realtime_app is not None and isinstance(realtime_app.state.recognizer, OfflineHearing):
        await realtime_app.state.recognizer.learn(known)


@asynccontextmanager
async def embedded_backend(settings: Settings) -> AsyncIterator[Any]:
    """The backend without a provider, for what it keeps: an application that answers at BACKEND_URL."""
    nobody = replace(settings, provider="local", realtime_url=None)
    async with _running_backend(nobody, None, ()) as backend:
        yield backend


@asynccontextmanager
async def running_realtime_app(
    engines: EngineOptions | None = None, server: ServerOptions | None = None, *, replay: Deck | None = None
) -> AsyncIterator[RealtimeApp]:
    """The local Realtime server as an application with a lifespan, and its engines. Raises ConfigError.

    ``replay``: a cassette in place of the engines.
    """
    from couchvoice.local.engines.choose_engines import running_engines
    from couchvoice.local.http.app import RealtimeApp

    if replay is not None:
        yield RealtimeApp(replay, server)
        return
    async with running_engines(engines or EngineOptions()) as parts:
        yield RealtimeApp(parts, server)


def new_deck(cassette: Cassette) -> Deck:
    """A cassette for the local Realtime server to play: each caller gets the next of its takes, and then the first."""
    from couchvoice.local.replay.player import Deck

    return Deck(cassette)


def check_provider_faults(calls: Sequence[Mapping[str, Any]]) -> None:
    """Whether the local server could go wrong so: the calls of a file for ``ServerOptions.faults``.

    Raises ConfigError.
    """
    from couchvoice.local.faults.faults import BadFault, faults_from

    for call in calls:
        try:
            faults_from((name, _written(value)) for name, value in call.items())
        except BadFault as exc:
            raise ConfigError(str(exc)) from exc


def _written(value: Any) -> str:
    """As it stands in a query; a list is one of event types."""
    if isinstance(value, list):
        return "|".join(map(str, value))
    return str(value).lower() if isinstance(value, bool) else str(value)


def new_voice() -> Any:
    """What can speak on this machine: ``await voice.speak(text, voice=NAME)`` is an AudioFrame."""
    from couchvoice.local.engines.voice import choose_voice

    return choose_voice()


def new_guarded_backend_app(settings: Settings, *, names: Sequence[str], realtime_url: str | None) -> Any:
    """The backend for callers from outside of this process, who call it by one of these names; none: by any.

    Raises ConfigError.
    """
    from couchvoice.backend import guards_from

    guards = guards_from(settings.guard, database_url=settings.database)
    return _new_backend_app(settings, realtime_url=realtime_url, guards=replace(guards, hosts=[*guards.hosts, *names]))


def _new_backend_app(
    settings: Settings,
    *,
    realtime_app: Any = None,
    realtime_url: str | None = None,
    guards: Any = None,
    finalize_at_shutdown: bool = True,
    tools: Sequence[Any] = (),
    now: Callable[[], datetime] | None = None,
) -> Any:
    """The backend as an ASGI application with a lifespan: with its tools, installed ones, and these.

    Raises ConfigError.
    """
    import httpx

    from couchvoice.backend import SqlStore, create_app
    from couchvoice.backend.companion import configured_crisis_watch, configured_lookup, configured_summarizer
    from couchvoice.backend.finalizer import Finalizer
    from couchvoice.backend.providers.catalog import open_providers
    from couchvoice.backend.pseudonyms import Pseudonyms
    from couchvoice.backend.tools import STANDARD_TOOLS, ToolRegistry, installed_tools

    if realtime_url is not None:
        settings = replace(settings, realtime_url=realtime_url)
    transport = None if realtime_app is None else httpx.ASGITransport(realtime_app)
    provider, endpoints = open_providers(settings, transport=transport)
    store = SqlStore(settings.database)
    return create_app(
        store=store,
        finalizer=Finalizer(
            store,
            summarizer=configured_summarizer(settings.companion),
            min_turns=settings.companion.summary_min_turns,
            finalize_after=settings.finalize_after,
            now=now,
        ),
        provider=provider,
        endpoints=endpoints,
        tools=ToolRegistry([*STANDARD_TOOLS, *installed_tools(), *tools]),
        session=settings.session,
        guards=guards,
        finalize_at_shutdown=finalize_at_shutdown,
        modes_dir=settings.modes_dir,
        enabled=settings.realtime_enabled,
        crisis=configured_crisis_watch(settings.companion),
        grounded=configured_lookup(settings.companion),
        pseudonyms=Pseudonyms(settings.state_dir),
    )


@asynccontextmanager
async def _running_backend(
    settings: Settings, realtime_app: Any, tools: Sequence[Any], now: Callable[[], datetime] | None = None
) -> AsyncIterator[Any]:
    url = REALTIME_URL if realtime_app is not None else None
    # It ends with its one talk, which has ended its session, or was told not to.
    backend = _new_backend_app(
        settings, realtime_app=realtime_app, realtime_url=url, finalize_at_shutdown=False, tools=tools, now=now
    )
    async with backend.router.lifespan_context(backend):
        yield backend


def missing_key(settings: Settings) -> str | None:
    """What to do so that the provider can be asked, if nobody said where its key is. Raises ConfigError."""
    from couchvoice.backend.providers.catalog import chosen_endpoint, has_key

    endpoint = chosen_endpoint(settings)
    if endpoint.provider == "azure" and "base_url" not in endpoint.options:
        raise ConfigError("azure needs to know your resource: set AZURE_PROJECT_ENDPOINT, or give --realtime-url")
    variable = {"openai": "OPENAI_API_KEY", "azure": "AZURE_OPENAI_API_KEY"}.get(endpoint.provider)
    if variable is None or has_key(endpoint):
        return None
    return f"the provider {endpoint.provider} needs a key: set {variable}, or use --provider local"
