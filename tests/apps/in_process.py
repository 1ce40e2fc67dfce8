"""A server of ours in the test's own process: real sockets, bounds that the test chooses."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from couchvoice.apps import serve
from tests.patience import until

HOST = "127.0.0.1"


@asynccontextmanager
async def served(app: Any, *, tls: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    """Its port. ``app`` has a lifespan."""
    listener = serve._bind(HOST, 0)
    server = serve._Server(app, listener, tls=tls)
    running = asyncio.create_task(server.run_until_told(), name="served")
    try:
        await until(lambda: server.started or running.done())
        yield listener.getsockname()[1]
    finally:
        server.should_exit = True
        await running
