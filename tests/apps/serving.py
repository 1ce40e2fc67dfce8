"""An ASGI application of the test's own on a port of this machine."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import uvicorn

from tests.patience import until

HOST = "127.0.0.1"
GRACE = 1  # seconds for requests that the test left hanging


@asynccontextmanager
async def serving(app: Any) -> AsyncIterator[str]:
    """Its URL."""
    server = uvicorn.Server(
        uvicorn.Config(app, HOST, 0, log_config=None, lifespan="off", timeout_graceful_shutdown=GRACE)
    )
    running = asyncio.create_task(server.serve(), name="serving")
    try:
        await until(lambda: server.started or running.done())
        yield f"http://{HOST}:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        await running
