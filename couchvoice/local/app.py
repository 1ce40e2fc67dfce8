"""The local server's paths: client secrets, calls, hangup, and sessions over WebSocket, in OpenAI's error shape.

Law: the application owns its calls and sessions: each is served by a task that nothing else depends on, and all of
them are hung up and awaited when the lifespan ends.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

from starlette.applications import Starlette
from starlette.requests import HTTPConnection, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route, WebSocketRoute
from starlette.websockets import WebSocket

from couchvoice.local import multipart
from couchvoice.local.bad_event import checked, read_object
from couchvoice.local.detector import SpeechDetector
from couchvoice.local.engines import Engines
from couchvoice.local.peer import CONNECT_TIMEOUT, Call
from couchvoice.local.refusals import ANSWERS, Refused, bounded_body
from couchvoice.local.secret_book import SecretBook, SecretRequest
from couchvoice.local.session_object import SESSION_LIMIT, SessionObject, merged
from couchvoice.local.websocket import SocketSession
from couchvoice.transports.peer import SDP_ERRORS

log = logging.getLogger("couchvoice.local.app")

MAX_OFFER = 256 * 1024  # bytes of SDP
MAX_CONFIG = 1024 * 1024  # bytes of JSON
SUBPROTOCOL = "realtime"

_ID_BYTES = 12
_PREFIXES = ("/v1/realtime", "/openai/v1/realtime")  # OpenAI's and Azure's
_KEY_SUBPROTOCOL = "openai-insecure-api-key."  # a browser's WebSocket has no headers


class RealtimeApp:
    """``asgi`` is the application; its lifespan must run. Raises ConfigError.

    ``api_key`` None: any key will do. ``strict_lite``: see strict_lite.py. ``clock`` gives seconds since the epoch.
    """

    def __init__(
        self,
        engines: Engines,
        *,
        api_key: str | None = None,
        connect_timeout: float = CONNECT_TIMEOUT,
        strict_lite: bool = False,
        clock: Callable[[], float] = time.time,
    ) -> None:
        SpeechDetector()  # raises MissingPart now rather than in the first call
        self._engines = engines
        self._connect_timeout = connect_timeout
        self._strict_lite = strict_lite
        self._clock = clock
        self._book = SecretBook(api_key)
        self._calls: dict[str, Call] = {}
        self._sessions: set[SocketSession] = set()
        # Not a task group: that would wrap whatever fails in the body of the lifespan.
        self._serving: set[asyncio.Task[None]] = set()
        self.asgi = Starlette(
            routes=[
                Route("/health", _health),
                *(route for prefix in _PREFIXES for route in self._routes(prefix)),
            ],
            exception_handlers=ANSWERS,
            lifespan=self._lifespan,
        )

    def _routes(self, prefix: str) -> list[BaseRoute]:
        return [
            WebSocketRoute(prefix, self._converse),
            Route(f"{prefix}/client_secrets", self._mint, methods=["POST"]),
            Route(f"{prefix}/calls", self._call, methods=["POST"]),
            Route(f"{prefix}/calls/{{call_id}}/hangup", self._hang_up, methods=["POST"]),
        ]

    @asynccontextmanager
    async def _lifespan(self, _: Starlette) -> AsyncIterator[None]:
        try:
            yield
        finally:
            for call in self._calls.values():
                call.hang_up()
            for session in self._sessions:
                session.hang_up()
            if self._serving:
                await asyncio.wait(self._serving)

    async def _mint(self, request: Request) -> Response:
        if not self._book.is_key(_bearer(request)):
            raise Refused(401, "invalid_api_key", "Incorrect API key provided.")
        body = await bounded_body(request, MAX_CONFIG)
        wanted: SecretRequest = checked(read_object(body) if body else {}, SecretRequest)
        now, lifetime = self._clock(), wanted.expires_after.seconds
        # Checked before it is bound to a secret.
        session = SessionObject(_new_id("sess"), wanted.session, now + lifetime)
        secret = self._book.mint(wanted.session, now=now, lifetime=lifetime)
        shown = {"value": secret.value, "expires_at": int(secret.expires_at), "session": session.as_dict()}
        return JSONResponse(shown)

    async def _call(self, request: Request) -> Response:
        config = self._authorized_config(request)
        offer, wanted = await _read_offer(request)
        # What a secret was minted with, no caller changes.
        config = merged(wanted, config)
        call_id = _new_id("rtc")
        call = Call(
            call_id,
            self._new_session(_new_id("sess"), config, request),
            self._engines,
            connect_timeout=self._connect_timeout,
            strict_lite=self._strict_lite,
        )
        try:
            answer = await call.answer(offer.decode("utf-8", "replace"))
        except BaseException as exc:
            await call.close()
            if isinstance(exc, SDP_ERRORS):
                message = f"The offer is no usable SDP ({type(exc).__name__})."
                raise Refused(400, "invalid_offer", message, "sdp") from exc
            raise
        self._calls[call_id] = call
        self._own(asyncio.create_task(self._serve(call), name=call_id))
        headers = {"Location": f"{request.url.path}/{call_id}"}
        return Response(answer, status_code=201, media_type="application/sdp", headers=headers)

    async def _hang_up(self, request: Request) -> Response:
        self._authorized_config(request)
        call = self._calls.get(request.path_params["call_id"])
        if call is None:
            raise Refused(404, "call_not_found", "There is no such call.", "call_id")
        call.hang_up()
        return Response(status_code=200)

    async def _serve(self, call: Call) -> None:
        # One item of a serving loop: a call that fails must not end the others.
        try:
            await call.run()
        except Exception:
            log.exception("x call %s failed", call.call_id)
        finally:
            del self._calls[call.call_id]

    async def _converse(self, socket: WebSocket) -> None:
        config = self._authorized_config(socket)
        if "call_id" in socket.query_params:
            raise Refused(400, "unknown_parameter", "A second connection to a call is not supported.", "call_id")
        session_id = _new_id("sess")
        session = SocketSession(session_id, socket, self._new_session(session_id, config, socket), self._engines)
        task = asyncio.current_task()
        assert task is not None  # this is a coroutine
        self._own(task)
        self._sessions.add(session)
        try:
            await socket.accept(SUBPROTOCOL if SUBPROTOCOL in socket.scope["subprotocols"] else None)
            await session.run()
        # One item of a serving loop, as in _serve.
        except Exception:
            log.exception("x session %s failed", session_id)
        finally:
            self._sessions.discard(session)

    def _own(self, serving: asyncio.Task[None]) -> None:
        self._serving.add(serving)
        serving.add_done_callback(self._serving.discard)

    def _new_session(self, session_id: str, config: Mapping[str, Any], request: HTTPConnection) -> SessionObject:
        """Raises BadEvent."""
        if model := request.query_params.get("model"):
            config = {"model": model, **config}
        return SessionObject(session_id, config, self._clock() + SESSION_LIMIT)

    def _authorized_config(self, request: HTTPConnection) -> Mapping[str, Any]:
        """The session config that goes with the request's key or secret."""
        bearer = _bearer(request)
        if secret := self._book.find(bearer, now=self._clock()):
            return secret.session
        if self._book.is_key(bearer):
            return {}
        raise Refused(401, "invalid_api_key", "The client secret is wrong or has expired.")


async def _health(_: Request) -> Response:
    return JSONResponse({"status": "ok"})


async def _read_offer(request: Request) -> tuple[bytes, Mapping[str, Any]]:
    """The SDP, and the session that came with it. Raises Refused and BadEvent."""
    content_type = request.headers.get("content-type", "")
    match content_type.partition(";")[0].strip().lower():
        case "application/sdp":
            return await bounded_body(request, MAX_OFFER), {}
        case multipart.FORM:
            parts = multipart.read_form(content_type, await bounded_body(request, MAX_OFFER + MAX_CONFIG))
            if "sdp" not in parts:
                raise Refused(400, "missing_required_parameter", "Missing required parameter: 'sdp'.", "sdp")
            return parts["sdp"], read_object(parts["session"]) if "session" in parts else {}
        case _:
            message = f"Send the offer as application/sdp, or as {multipart.FORM} with sdp and session."
            raise Refused(415, "unsupported_content_type", message)


def _bearer(request: HTTPConnection) -> str:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return token.strip()
    if key := request.headers.get("api-key"):  # Azure's
        return key.strip()
    offered = request.scope.get("subprotocols", ())
    keys = (name.removeprefix(_KEY_SUBPROTOCOL) for name in offered if name.startswith(_KEY_SUBPROTOCOL))
    return next(keys, "")


def _new_id(prefix: str) -> str:
    return f"{prefix}_{secrets.token_hex(_ID_BYTES)}"
