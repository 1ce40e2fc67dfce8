"""``couchvoice serve``: the two embedded ends as servers of their own.

Law: one line on stdout when requests are served (``ready http://HOST:PORT``), all else on stderr.
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import signal
import socket
import ssl
import sys
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import uvicorn
from uvicorn.config import STARTUP_FAILURE

from couchvoice.addresses import is_loopback
from couchvoice.apps.connection_guard import ConnectionGuard
from couchvoice.apps.server_tls import server_tls
from couchvoice.apps.uvicorn_log import tame_uvicorn_log
from couchvoice.cassette import load_cassette
from couchvoice.embedded import (
    EngineOptions,
    ServerOptions,
    missing_key,
    new_deck,
    new_guarded_backend_app,
    running_realtime_app,
)
from couchvoice.errors import ConfigError
from couchvoice.guard_settings import GuardSettings
from couchvoice.settings import DEFAULT_REALTIME_PORT, Settings

SHUTDOWN_TIMEOUT = 3  # seconds for requests that are being served
HANDSHAKE_TIMEOUT = 10.0  # seconds; asyncio would wait for 60

_LOOPBACK = "127.0.0.1"
_LOOPBACK_NAMES = (_LOOPBACK, "::1", "localhost")
_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_ANY_PORT = 0
_BACKLOG = 128
_UNENCRYPTED = (
    "warning: what comes to {host} and goes from it is not encrypted, and clients refuse that: "
    "put a TLS proxy before it, or give --certificate and --key"
)


async def serve_realtime(
    host: str, port: int, engines: EngineOptions, server: ServerOptions, *, replay: Path | None = None
) -> None:
    """Until a signal comes. ``replay`` is a cassette in place of the engines. Raises ConfigError."""
    deck = new_deck(load_cassette(replay)) if replay is not None else None
    listener = _bind(host, port)
    if server.api_key is None and not _is_loopback(listener):
        print(f"warning: whoever reaches {host} can use this server: it takes any key; see --api-key", file=sys.stderr)
    async with running_realtime_app(engines, _guarded(server, host, listener), replay=deck) as app:
        await _serve([_Server(app.asgi, listener, on_ready=lambda: _announce(host, listener), on_end=app.end)])


async def serve_backend(host: str, port: int, settings: Settings) -> None:
    """Until a signal comes. Starts the local server beside it when the provider is local and has no URL."""
    _check_open_to(host, settings.guard)
    tls = server_tls(settings.guard.certificate, settings.guard.certificate_key)
    listener = _bind(host, port)
    if tls is None and not _is_loopback(listener):
        print(_UNENCRYPTED.format(host=host), file=sys.stderr)
    realtime_url = settings.realtime_url
    async with contextlib.AsyncExitStack() as stack:
        servers = []
        if (settings.provider or "local") == "local" and realtime_url is None:
            # Without encryption a provider is reached on this machine only, wherever the backend listens.
            beside = _bind_if_free(_LOOPBACK, DEFAULT_REALTIME_PORT if port else _ANY_PORT)
            realtime_url = f"{_url(_LOOPBACK, beside)}/v1"
            options = _guarded(ServerOptions(), _LOOPBACK, beside)
            app = await stack.enter_async_context(running_realtime_app(server=options))
            servers.append(_Server(app.asgi, beside, on_end=app.end))
            print(f"the local Realtime server is at {realtime_url}", file=sys.stderr, flush=True)
        if missing := missing_key(settings):
            print(f"warning: {missing}; until then sessions are refused", file=sys.stderr)
        names = _names(host) if settings.guard.allow_host or _is_loopback(listener) else ()
        backend = new_guarded_backend_app(settings, names=names, realtime_url=realtime_url)
        servers.append(_Server(backend, listener, tls=tls, on_ready=lambda: _announce(host, listener, tls=tls)))
        await _serve(servers)


def _guarded(options: ServerOptions, host: str, listener: socket.socket) -> ServerOptions:
    """Who listens to this machine only is called by its names only, whatever a page's own name points at."""
    if not options.allowed_hosts and not _is_loopback(listener):
        return options
    return replace(options, allowed_hosts=(*options.allowed_hosts, *_names(host)))


def _names(host: str) -> Sequence[str]:
    return (host, *_LOOPBACK_NAMES)


def _check_open_to(host: str, guard: GuardSettings) -> None:
    """Raises ConfigError when other machines could use a backend that asks for no credentials."""
    if guard.auth != "none":
        return
    if not is_loopback(host):
        raise ConfigError(
            f"whoever reaches {host} could use this backend: it asks for no credentials. "
            "Use --auth jwt, or --host 127.0.0.1"
        )
    unused = " (COUCHVOICE_JWT_KEY and COUCHVOICE_JWKS_URL count with --auth jwt)"
    hint = unused if guard.jwt_key or guard.jwks_url else ""
    print(f"warning: this backend asks for no credentials, so it listens to this machine only{hint}", file=sys.stderr)


class _Server(uvicorn.Server):
    """uvicorn on a socket of ours, without signal handlers of its own: two of them run in one process.

    ``on_end`` is awaited while requests are still answered: uvicorn itself would cut WebSockets off.
    """

    def __init__(
        self,
        app: Any,
        listener: socket.socket,
        *,
        tls: ssl.SSLContext | None = None,
        on_ready: Callable[[], None] | None = None,
        on_end: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                log_config=None,  # its lines look like ours, and are as harmless to a terminal
                log_level="warning",
                access_log=False,
                lifespan="on",
                timeout_graceful_shutdown=SHUTDOWN_TIMEOUT,
            )
        )
        tame_uvicorn_log()
        self._listener = listener
        self._tls = tls
        self._guard = ConnectionGuard()
        self._on_ready = on_ready
        self._on_end = on_end

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """uvicorn's own gives no bound to the handshake of TLS."""
        await self.lifespan.startup()
        if self.lifespan.should_exit:
            sys.exit(STARTUP_FAILURE)
        self.servers = [
            await asyncio.get_running_loop().create_server(
                self._connection,
                sock=self._listener,
                backlog=_BACKLOG,
                ssl=self._tls,
                ssl_handshake_timeout=HANDSHAKE_TIMEOUT if self._tls else None,
            )
        ]
        self.started = True
        if self._on_ready is not None:
            self._on_ready()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        if self._on_end is not None:
            await self._on_end()
        await super().shutdown(sockets)

    def capture_signals(self) -> contextlib.AbstractContextManager[None]:  # type: ignore[override]  # a generator there
        return contextlib.nullcontext()

    def _connection(self) -> asyncio.Protocol:
        return self._guard.connection(config=self.config, server_state=self.server_state, app_state=self.lifespan.state)

    async def run_until_told(self) -> None:
        await self.serve(sockets=[self._listener])


async def _serve(servers: list[_Server]) -> None:
    loop = asyncio.get_running_loop()

    def stop() -> None:
        for server in servers:
            server.should_exit = True
        # A second signal finds no handler: the system ends the process at once.
        for number in _SIGNALS:
            loop.remove_signal_handler(number)
            signal.signal(number, signal.SIG_DFL)

    for number in _SIGNALS:
        with contextlib.suppress(NotImplementedError):  # Windows: Ctrl-C stays a KeyboardInterrupt
            loop.add_signal_handler(number, stop)
    async with asyncio.TaskGroup() as tasks:
        for server in servers:
            tasks.create_task(server.run_until_told(), name="serve")


def _bind(host: str, port: int) -> socket.socket:
    """Raises ConfigError when somebody else has the port."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # asyncio switches Nagle off only where the protocol is named: without it each reply waits 44 ms for an ACK.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(_BACKLOG)
    except (OSError, ValueError, OverflowError) as exc:  # ValueError: a name that no host can have
        listener.close()
        raise ConfigError(f"cannot listen on {host} port {port}: {exc}") from exc
    return listener


def _bind_if_free(host: str, port: int) -> socket.socket:
    try:
        return _bind(host, port)
    except ConfigError:
        return _bind(host, _ANY_PORT)


def _is_loopback(listener: socket.socket) -> bool:
    return ipaddress.ip_address(listener.getsockname()[0]).is_loopback


def _url(host: str, listener: socket.socket, *, tls: ssl.SSLContext | None = None) -> str:
    scheme = "http" if tls is None else "https"
    return f"{scheme}://{f'[{host}]' if ':' in host else host}:{listener.getsockname()[1]}"


def _announce(host: str, listener: socket.socket, *, tls: ssl.SSLContext | None = None) -> None:
    print(f"ready {_url(host, listener, tls=tls)}", flush=True)
