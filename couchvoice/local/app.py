"""The local server's HTTP side: client secrets, calls, hangup, in OpenAI's paths and error shape.

Law: the application owns its calls: each is a task of its own that nothing else depends on, and all of them are hung
up and awaited when the lifespan ends.
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
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from couchvoice.local.bad_event import BadEvent, checked, read_object
from couchvoice.local.detector import SpeechDetector
from couchvoice.local.peer import CONNECT_TIMEOUT, Call, Engines
from couchvoice.local.secret_book import SecretBook, SecretRequest
from couchvoice.local.session_object import SESSION_LIMIT, SessionObject
from couchvoice.transports.peer import SDP_ERRORS

log = logging.getLogger("couchvoice.local.app")

MAX_OFFER = 256 * 1024  # bytes of SDP
MAX_CONFIG = 1024 * 1024  # bytes of JSON
_ID_BYTES = 12


class Refused(Exception):
    """A request that is answered with an error in OpenAI's shape."""

    def __init__(self, status: int, code: str, message: str, param: str | None = None) -> None:
        super().__init__(status, code, message)
        self.status = status
        self.code = code
        self.message = message
        self.param = param


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
        # Not a task group: that would wrap whatever fails in the body of the lifespan.
        self._serving: set[asyncio.Task[None]] = set()
        self.asgi = Starlette(
            routes=[
                Route("/health", _health),
                Route("/v1/realtime/client_secrets", self._mint, methods=["POST"]),
                Route("/v1/realtime/calls", self._call, methods=["POST"]),
                Route("/v1/realtime/calls/{call_id}/hangup", self._hang_up, methods=["POST"]),
            ],
            exception_handlers={
                Refused: _answer_refusal,
                BadEvent: _answer_bad_parameter,
                HTTPException: _answer_http_error,
            },
            lifespan=self._lifespan,
        )

    @asynccontextmanager
    async def _lifespan(self, _: Starlette) -> AsyncIterator[None]:
        try:
            yield
        finally:
            for call in self._calls.values():
                call.hang_up()
            if self._serving:
                await asyncio.wait(self._serving)

    async def _mint(self, request: Request) -> Response:
        if not self._book.is_key(_bearer(request)):
            raise Refused(401, "invalid_api_key", "Incorrect API key provided.")
        body = await _bounded_body(request, MAX_CONFIG)
        wanted: SecretRequest = checked(read_object(body) if body else {}, SecretRequest)
        now, lifetime = self._clock(), wanted.expires_after.seconds
        # Checked before it is bound to a secret.
        session = SessionObject(_new_id("sess"), wanted.session, now + lifetime)
        secret = self._book.mint(wanted.session, now=now, lifetime=lifetime)
        shown = {"value": secret.value, "expires_at": int(secret.expires_at), "session": session.as_dict()}
        return JSONResponse(shown)

    async def _call(self, request: Request) -> Response:
        config = self._authorized_config(request)
        if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/sdp":
            raise Refused(415, "unsupported_content_type", "Send the offer as application/sdp.")
        offer = await _bounded_body(request, MAX_OFFER)
        if model := request.query_params.get("model"):
            config = {"model": model, **config}
        call_id = _new_id("rtc")
        session = SessionObject(_new_id("sess"), config, self._clock() + SESSION_LIMIT)
        call = Call(
            call_id,
            session,
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
        serving = asyncio.create_task(self._serve(call), name=call_id)
        self._serving.add(serving)
        serving.add_done_callback(self._serving.discard)
        headers = {"Location": f"/v1/realtime/calls/{call_id}"}
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

    def _authorized_config(self, request: Request) -> Mapping[str, Any]:
        """The session config that goes with the request's key or secret."""
        bearer = _bearer(request)
        if secret := self._book.find(bearer, now=self._clock()):
            return secret.session
        if self._book.is_key(bearer):
            return {}
        raise Refused(401, "invalid_api_key", "The client secret is wrong or has expired.")


async def _health(_: Request) -> Response:
    return JSONResponse({"status": "ok"})


async def _answer_refusal(_: Request, exc: Exception) -> Response:
    assert isinstance(exc, Refused)  # registered for nothing else
    return _error(exc.status, exc.code, exc.message, exc.param)


async def _answer_bad_parameter(_: Request, exc: Exception) -> Response:
    assert isinstance(exc, BadEvent)  # registered for nothing else
    return _error(400, exc.code, exc.message, exc.param)


async def _answer_http_error(_: Request, exc: Exception) -> Response:
    """Starlette's own: no such path, no such method."""
    assert isinstance(exc, HTTPException)  # registered for nothing else
    response = _error(exc.status_code, exc.detail.lower().replace(" ", "_"), exc.detail)
    response.headers.update(exc.headers or {})
    return response


def _error(status: int, code: str, message: str, param: str | None = None) -> Response:
    error = {"message": message, "type": "invalid_request_error", "code": code, "param": param}
    return JSONResponse({"error": error}, status_code=status)


async def _bounded_body(request: Request, limit: int) -> bytes:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > limit:
            raise Refused(400, "body_too_large", f"The body is larger than {limit // 1024} KiB.")
    return bytes(body)


def _bearer(request: Request) -> str:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def _new_id(prefix: str) -> str:
    return f"{prefix}_{secrets.token_hex(_ID_BYTES)}"
