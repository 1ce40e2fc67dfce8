"""The door: who calls, and what is theirs.

Not how a token is judged (tokens.py), nor how much one may ask for (limits.py). Law: with authentication on nothing
answers without a token but what ``PUBLIC_PATHS`` names, so that a new route is guarded before anybody thinks of it;
and the owner of what a request touches comes from the token only.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Annotated, Protocol

from fastapi import Depends
from starlette.datastructures import Headers
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from couchvoice.backend.activity import Traffic
from couchvoice.backend.refusals import Refused, refusal
from couchvoice.private import Private

HEALTH_PATH = "/api/health"
READY_PATH = "/api/ready"
METRICS_PATH = "/metrics"
OPENAPI_PATH = "/openapi.json"
PUBLIC_PATHS = frozenset({HEALTH_PATH, READY_PATH, METRICS_PATH, OPENAPI_PATH})  # they hold nothing of anybody
ADMIN_PREFIX = "/api/admin"
UNKNOWN_ADDRESS = "unknown"  # a caller in this process, or behind a socket without addresses

_SCHEME = "bearer"
_CALLER = "caller"  # its place in the state of the request


class Authentication(Protocol):
    async def subject(self, token: str) -> str:
        """Whom this bearer token names. Raises Refused (401; 503 when nobody can tell now)."""

    async def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Caller:
    """``subject`` is what the token says; None: authentication is off, and callers are believed."""

    subject: str | None
    address: str
    traffic: Traffic = field(default_factory=Traffic, compare=False)

    def user(self, claimed: str | None) -> str | None:
        """The user of this request; ``claimed`` is what its body or its query says. Raises Refused (403)."""
        if self.subject is None:
            return claimed
        if claimed not in (None, self.subject):
            raise Refused(HTTPStatus.FORBIDDEN, "user_mismatch", "user_id is not the user of the token: leave it out")
        return self.subject

    def owner(self, *, user_id: str | None, thread_id: str) -> str:
        """To whom the thread of this request must belong. Raises Refused (403)."""
        return self.user(user_id) or thread_id


async def _caller(connection: HTTPConnection) -> Caller:
    # async: FastAPI takes what is not to a thread of its own, for each request.
    caller = connection.scope["state"][_CALLER]
    assert isinstance(caller, Caller)  # the door stands before every route
    return caller


CurrentCaller = Annotated[Caller, Depends(_caller)]


class Door:
    """ASGI middleware: lets in whoever may, and tells the routes who it is. Without ``authentication``: anybody.

    ``admin`` is the operators' own credential. ``count`` gets the bytes of each request and of its answer.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        authentication: Authentication | None,
        admin: Private | None,
        count: Callable[[Traffic], None],
    ) -> None:
        self._app = app
        self._authentication = authentication
        self._admin = admin
        self._count = count

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "lifespan":
            try:
                subject = await self._subject(scope)
            except Refused as exc:
                response = refusal(exc)
                if exc.status == HTTPStatus.UNAUTHORIZED:
                    response.headers["WWW-Authenticate"] = _challenge(exc)
                await response(scope, receive, send)
                return
            address = scope["client"][0] if scope.get("client") else UNKNOWN_ADDRESS
            caller = Caller(subject, address)
            scope.setdefault("state", {})[_CALLER] = caller
            try:
                await self._app(scope, *_metered(caller.traffic, receive, send))
            finally:
                self._count(caller.traffic)
            return
        await self._app(scope, receive, send)

    async def _subject(self, scope: Scope) -> str | None:
        is_admin = self._admin is not None and scope["path"].startswith(f"{ADMIN_PREFIX}/")
        if not is_admin and (self._authentication is None or scope["path"] in PUBLIC_PATHS):
            return None
        credentials = Headers(scope=scope).getlist("authorization")
        if not credentials:
            raise Refused(HTTPStatus.UNAUTHORIZED, "token_missing", "send Authorization: Bearer TOKEN")
        scheme, _, token = credentials[0].partition(" ")
        if len(credentials) > 1 or scheme.lower() != _SCHEME:
            raise Refused(HTTPStatus.UNAUTHORIZED, "token_invalid", "Authorization must be one: Bearer TOKEN")
        if is_admin:
            assert self._admin is not None  # or it were no admin's path
            if not hmac.compare_digest(token.strip().encode(), self._admin.reveal().encode()):
                raise Refused(HTTPStatus.UNAUTHORIZED, "token_invalid", "this is not the operators' credential")
            return None
        assert self._authentication is not None  # as above
        return await self._authentication.subject(token.strip())


def _metered(traffic: Traffic, receive: Receive, send: Send) -> tuple[Receive, Send]:
    async def metered_receive() -> Message:
        message = await receive()
        traffic.received += len(message.get("body", b""))
        return message

    async def metered_send(message: Message) -> None:
        traffic.sent += len(message.get("body", b""))
        await send(message)

    return metered_receive, metered_send


def _challenge(refused: Refused) -> str:
    # RFC 6750 §3.1: "If the request lacks any authentication information … the resource server SHOULD NOT include an
    # error code".
    return "Bearer" if refused.code == "token_missing" else 'Bearer error="invalid_token"'
