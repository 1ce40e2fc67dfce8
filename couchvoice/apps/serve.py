"""``couchvoice serve``: the two embedded ends as servers of their own.

Law: one line on stdout when requests are served (``ready http://HOST:PORT``), all else on stderr.
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import signal
import socket
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import uvicorn

from couchvoice.embedded import new_backend_app, new_realtime_app
from couchvoice.errors import ConfigError
from couchvoice.settings import DEFAULT_REALTIME_PORT, Settings

SHUTDOWN_TIMEOUT = 3  # seconds for requests that are being served

_LOOPBACK = "127.0.0.1"
_ANY_PORT = 0
_BACKLOG = 128


async def serve_realtime(
    host: str,
    port: int,
    *,
    replies: Path | None,
    recordings: Sequence[Path],
    api_key: str | None,
    strict_lite: bool,
) -> None:
    """Until a signal comes. Raises ConfigError."""
    app = await new_realtime_app(recordings=recordings, replies=replies, api_key=api_key, strict_lite=strict_lite)
    listener = _bind(host, port)
    await _serve([_Server(app, listener, on_ready=lambda: _announce(host, listener))])


async def serve_backend(host: str, port: int, settings: Settings) -> None:
    """Until a signal comes. Starts the local server beside it when the provider is local and has no URL."""
    listener = _bind(host, port)
    if not ipaddress.ip_address(listener.getsockname()[0]).is_loopback:
        print(f"warning: whoever reaches {host} can use this backend: it asks for no credentials", file=sys.stderr)
    servers = []
    realtime_url = settings.realtime_url
    if (settings.provider or "local") == "local" and realtime_url is None:
        # Without encryption a provider is reached on this machine only, wherever the backend listens.
        beside = _bind_if_free(_LOOPBACK, DEFAULT_REALTIME_PORT if port else _ANY_PORT)
        realtime_url = f"{_url(_LOOPBACK, beside)}/v1"
        servers.append(_Server(await new_realtime_app(), beside, on_ready=lambda: None))
        print(f"the local Realtime server is at {realtime_url}", file=sys.stderr, flush=True)
    backend = new_backend_app(settings, realtime_url=realtime_url)
    await _serve([*servers, _Server(backend, listener, on_ready=lambda: _announce(host, listener))])


def recordings_in(folder: Path) -> list[Path]:
    """The WAVs that have their text beside them. Raises ConfigError when there are none."""
    wavs = sorted(wav for wav in folder.glob("*.wav") if wav.with_suffix(".txt").exists())
    if not wavs:
        raise ConfigError(f"{folder} holds no recording: --recordings names a folder of NAME.wav and NAME.txt")
    return wavs


class _Server(uvicorn.Server):
    """uvicorn on a socket of ours, without signal handlers of its own: two of them run in one process."""

    def __init__(self, app: Any, listener: socket.socket, *, on_ready: Callable[[], None]) -> None:
        super().__init__(
            uvicorn.Config(
                app, log_level="warning", access_log=False, lifespan="on", timeout_graceful_shutdown=SHUTDOWN_TIMEOUT
            )
        )
        self._listener = listener
        self._on_ready = on_ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._on_ready()

    def capture_signals(self) -> contextlib.AbstractContextManager[None]:  # type: ignore[override]  # a generator there
        return contextlib.nullcontext()

    async def run_until_told(self) -> None:
        await self.serve(sockets=[self._listener])


async def _serve(servers: list[_Server]) -> None:
    def stop() -> None:
        for server in servers:
            server.should_exit = True

    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
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


def _url(host: str, listener: socket.socket) -> str:
    return f"http://{f'[{host}]' if ':' in host else host}:{listener.getsockname()[1]}"


def _announce(host: str, listener: socket.socket) -> None:
    print(f"ready {_url(host, listener)}", flush=True)
