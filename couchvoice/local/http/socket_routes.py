"""The WebSocket paths: a session of its own, or a sideband onto a running call.

Law: what can be refused is refused before the connection is accepted, over HTTP; only the beta shape is refused
after it, as OpenAI does.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from http import HTTPStatus

import msgspec
from starlette.websockets import WebSocket, WebSocketDisconnect

from couchvoice.local.engines import Engines
from couchvoice.local.http.counts import Counts
from couchvoice.local.http.live_sessions import SIDEBAND, WEBSOCKET, LiveSessions
from couchvoice.local.http.reception import Reception, new_id
from couchvoice.local.http.refusals import BETA_DISABLED, BETA_MESSAGE, Refused
from couchvoice.local.protocol import beta
from couchvoice.local.replay.player import Deck
from couchvoice.local.server_options import ServerOptions
from couchvoice.local.sideband import Sideband
from couchvoice.local.websocket import SocketSession

log = logging.getLogger("couchvoice.local.http.app")

SUBPROTOCOL = "realtime"
REFUSED_AS_BETA = 4000  # the close code; RFC 6455 §7.4.2 leaves these to applications


class SocketRoutes:
    def __init__(
        self, parts: Engines | Deck, options: ServerOptions, reception: Reception, live: LiveSessions, counts: Counts
    ) -> None:
        self._parts = parts
        self._allows_beta = options.beta
        self._reception = reception
        self._live = live
        self._counts = counts

    async def converse(self, socket: WebSocket) -> None:
        self._await_at_end()
        if "call_id" in socket.query_params:
            await self._join(socket)
        else:
            await self._converse(socket, speaks_beta=beta.asks_for_beta(socket.headers, socket.scope["subprotocols"]))

    async def converse_beta(self, socket: WebSocket) -> None:
        """Azure's preview had a path of its own, and beta names."""
        self._await_at_end()
        await self._converse(socket, speaks_beta=True)

    async def _converse(self, socket: WebSocket, *, speaks_beta: bool) -> None:
        name, parts = new_id("sess"), self._parts
        with self._counts.refusals():
            if isinstance(parts, Deck):
                raise Refused(
                    HTTPStatus.NOT_IMPLEMENTED, "cassette_over_webrtc", "A cassette is played over WebRTC only."
                )
            admitted = await self._reception.admit(socket)
            if speaks_beta and not self._allows_beta:
                await self._refuse_beta(socket)
                return
            self._live.take(name, WEBSOCKET)
            try:
                with self._reception.opening(name, admitted, socket) as session:
                    await socket.accept(_subprotocol(socket))
            except BaseException:
                self._live.leave(name)
                raise
        manners = self._reception.manners(admitted, beta=speaks_beta)
        await self._serve(name, SocketSession(name, socket, session, parts, manners))

    async def _join(self, socket: WebSocket) -> None:
        """A sideband sees and does everything that its call does: a client secret is not enough."""
        name = new_id("side")
        with self._counts.refusals():
            self._reception.require_key(socket)
            call = self._live.call(socket.query_params["call_id"])
            self._live.take(name, SIDEBAND)
            try:
                await socket.accept(_subprotocol(socket))
            except BaseException:
                self._live.leave(name)
                raise
        await self._serve(name, Sideband(name, socket, call))

    async def _serve(self, name: str, session: SocketSession | Sideband) -> None:
        # One item of a serving loop: a session that fails must not end the others.
        try:
            self._live.begin(name, session)
            await session.run()
        except Exception:
            log.exception("x session %s failed", name)
        finally:
            self._live.leave(name)

    def _await_at_end(self) -> None:
        """From before it is accepted: uvicorn answers 500 for whoever still waits when it ends."""
        task = asyncio.current_task()
        assert task is not None  # called by coroutines only
        self._live.await_at_end(task)

    async def _refuse_beta(self, socket: WebSocket) -> None:
        self._counts.refused[BETA_DISABLED] += 1
        error = {"type": "invalid_request_error", "code": BETA_DISABLED, "message": BETA_MESSAGE}
        event = {"type": "error", "event_id": new_id("event"), "error": error}
        with contextlib.suppress(WebSocketDisconnect):  # a client may be gone before it is told
            await socket.accept(_subprotocol(socket))
            await socket.send_text(msgspec.json.encode(event).decode())
            await socket.close(REFUSED_AS_BETA, f"invalid_request_error.{BETA_DISABLED}")


def _subprotocol(socket: WebSocket) -> str | None:
    """Of those that a browser offers; it gives up when none is chosen."""
    offered: list[str] = socket.scope["subprotocols"]
    return next((name for name in (SUBPROTOCOL, beta.SUBPROTOCOL) if name in offered), None)
