"""The local server as an application: its paths, what guards them, and how it ends.

What the paths do stands in call_routes.py, socket_routes.py and secret_routes.py. Law: nothing starts before the
lifespan, and all calls and sessions have ended with it.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from http import HTTPStatus

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route, WebSocketRoute

import couchvoice
from couchvoice.local.detector import SpeechDetector
from couchvoice.local.engines import Engines
from couchvoice.local.http.call_routes import CallRoutes
from couchvoice.local.http.counts import CONTENT_TYPE, Counts, MessageCounter, exposition
from couchvoice.local.http.ending import Ending
from couchvoice.local.http.live_sessions import LiveSessions
from couchvoice.local.http.reception import Reception
from couchvoice.local.http.refusals import ANSWERS, BETA_DISABLED, BETA_MESSAGE, Refused, refusal
from couchvoice.local.http.secret_routes import SecretRoutes
from couchvoice.local.http.socket_routes import SocketRoutes
from couchvoice.local.missing import MissingPart
from couchvoice.local.replay.player import Deck
from couchvoice.local.server_options import ServerOptions
from couchvoice.web_guards import LOOPBACK_PAGES, web_guards

_PREFIXES = ("/v1/realtime", "/openai/v1/realtime")  # OpenAI's and Azure's
_METHODS = ("GET", "POST", "DELETE")
_SIP = ("accept", "refer", "reject")

_Endpoint = Callable[[Request], Awaitable[Response]]


class RealtimeApp:
    """``asgi`` is the application; its lifespan must run. ``clock`` gives seconds since the epoch.

    ``parts``: what hears and answers, or a cassette that does so in its place. Raises ConfigError.
    """

    def __init__(
        self, parts: Engines | Deck, options: ServerOptions | None = None, *, clock: Callable[[], float] = time.time
    ) -> None:
        if isinstance(parts, Engines):
            SpeechDetector()  # raises MissingPart now rather than in the first call
        options = options or ServerOptions()
        self._speaks_beta = options.beta
        self._counts = Counts()
        self._ending = Ending()
        self._live = LiveSessions(options.max_sessions, self._counts, self._ending)
        self._started = time.monotonic()
        reception = Reception(options, self._ending, clock=clock)
        self._secrets = SecretRoutes(reception, self._counts, self._ending)
        self._calls = CallRoutes(parts, reception, self._live, self._counts, self._ending)
        self._sockets = SocketRoutes(parts, options, reception, self._live, self._counts)
        self.asgi = Starlette(
            routes=[
                Route("/health", self._health),
                Route("/metrics", self._metrics),
                *(route for prefix in _PREFIXES for route in self._routes(prefix)),
                *self._beta_routes(),
            ],
            middleware=[
                *web_guards(
                    origins=options.allowed_origins,
                    hosts=options.allowed_hosts,
                    methods=_METHODS,
                    guarded={"websocket"},  # over HTTP its routes ask for a key, which no page can send unasked
                    refuse=lambda status, code, message: refusal(Refused(status, code, message)),
                    pages=LOOPBACK_PAGES,
                ),
                Middleware(MessageCounter, counts=self._counts),
            ],
            exception_handlers=ANSWERS,
            lifespan=self._lifespan,
        )
        self.asgi.state.recognizer = parts.recognizer if isinstance(parts, Engines) else None
        self.asgi.router.redirect_slashes = False  # a client would send its key a second time

    async def end(self) -> None:
        """Let nobody in any more, hang up, and wait for it, within a bound. May be called twice."""
        await self._live.end()

    def _routes(self, prefix: str) -> list[BaseRoute]:
        call = f"{prefix}/calls/{{call_id}}"
        return [
            WebSocketRoute(prefix, self._sockets.converse),
            Route(f"{prefix}/client_secrets", self._secrets.mint, methods=["POST"]),
            Route(f"{prefix}/calls", self._calls.create, methods=["POST"]),
            Route(call, self._calls.hang_up, methods=["DELETE"]),
            Route(f"{call}/hangup", self._calls.hang_up, methods=["POST"]),
            *(Route(f"{call}/{verb}", self._calls.refuse_telephony, methods=["POST"]) for verb in _SIP),
        ]

    def _beta_routes(self) -> list[BaseRoute]:
        """Those of OpenAI's beta, and of Azure's preview."""
        return [
            Route("/v1/realtime", self._beta(self._calls.create_beta), methods=["POST"]),
            Route("/v1/realtime/sessions", self._beta(self._secrets.mint_beta), methods=["POST"]),
            Route(
                "/v1/realtime/transcription_sessions",
                self._beta(self._secrets.mint_beta_transcription),
                methods=["POST"],
            ),
            WebSocketRoute("/openai/realtime", self._sockets.converse_beta),
            Route("/openai/realtimeapi/sessions", self._beta(self._secrets.mint_beta), methods=["POST"]),
            Route("/v1/realtimertc", self._beta(self._calls.create_beta), methods=["POST"]),
        ]

    def _beta(self, endpoint: _Endpoint) -> _Endpoint:
        return endpoint if self._speaks_beta else _refuse_beta

    @asynccontextmanager
    async def _lifespan(self, _: Starlette) -> AsyncIterator[None]:
        try:
            yield
        finally:
            await self.end()

    async def _health(self, _: Request) -> Response:
        ending = self._ending.has_begun
        shown = {
            "status": "shutting_down" if ending else "ok",
            "sessions": len(self._live),
            "version": couchvoice.__version__,
        }
        return JSONResponse(shown, HTTPStatus.SERVICE_UNAVAILABLE if ending else HTTPStatus.OK)

    async def _metrics(self, _: Request) -> Response:
        uptime = time.monotonic() - self._started
        try:
            text = exposition(self._counts, live=self._live.by_transport, uptime=uptime)
        except MissingPart as exc:
            raise Refused(HTTPStatus.NOT_IMPLEMENTED, MissingPart.code, str(exc)) from exc
        return Response(text, media_type=CONTENT_TYPE)


async def _refuse_beta(_: Request) -> Response:
    raise Refused(HTTPStatus.BAD_REQUEST, BETA_DISABLED, BETA_MESSAGE)
