"""The served application on a port of its own: uvicorn, as ``couchvoice serve realtime`` runs it."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import uvicorn

from couchvoice.local.engines import Engines
from couchvoice.local.http.app import RealtimeApp
from couchvoice.local.server_options import ServerOptions
from tests.local.caller import engines
from tests.patience import until


@asynccontextmanager
async def listening(parts: Engines | None = None, **options: Any) -> AsyncIterator[str]:
    """Host and port. ``options`` are those of ServerOptions."""
    app = RealtimeApp(parts or engines(), ServerOptions(**options))
    async with served(app.asgi) as host:
        yield host


@asynccontextmanager
async def served(app: Any) -> AsyncIterator[str]:
    """Any ASGI application: its host and port."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = uvicorn.Server(uvicorn.Config(app, log_level="warning", lifespan="auto"))
        serving = asyncio.create_task(server.serve(sockets=[listener]), name="uvicorn")
        await until(lambda: server.started)
        try:
            yield f"127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            await serving
