"""Who may call a server of ours from where: pages by their origin, and anybody by the name that the server is called.

    page of another site, over HTTP        its browser is not told that it may (CORS)
    page of another site, guarded          403: browsers do not ask before they open a WebSocket, or post a form
    a name that is not ours (Host)         421: a page may point its own name at this machine (DNS rebinding)

Not who they are: each server has its own idea of that. Law: origins and names are compared whole; credentials are
never asked for.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Sequence
from http import HTTPStatus

from starlette.datastructures import Headers
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from couchvoice.errors import ConfigError

ANY = "*"
LOOPBACK_PAGES = r"https?://(localhost|127\.0\.0\.1|\[::1\])(:\d{1,5})?"
_HOST = re.compile(r"(?P<name>[a-z0-9._-]+|\[[0-9a-f:.]+\])(:\d{1,5})?")
_ORIGIN = re.compile(r"[a-z][a-z0-9+.-]*://" + _HOST.pattern)
_DEFAULT_PORTS = {"http": ":80", "https": ":443"}
_EXPOSED = ("Location", "Retry-After")

# The status, the code and the sentence of a refusal, in the shape that the server gives its errors.
Refuse = Callable[[int, str, str], Response]


def web_guards(
    *,
    origins: Sequence[str],
    hosts: Sequence[str],
    methods: Sequence[str],
    guarded: Collection[str],
    refuse: Refuse,
    pages: str | None = None,
) -> list[Middleware]:
    """From the outermost to the innermost. ``hosts`` empty: any. Raises ConfigError.

    ``guarded``: the types of ASGI's scopes (http, websocket) in which a page that may not call gets a refusal.
    ``pages``: a pattern of origins that may always call.
    """
    allowed = frozenset(checked_origin(origin) for origin in origins)
    cors = Middleware(_Cors, origins=allowed, pages=pages, methods=methods, refuse=refuse)
    names = frozenset(_checked_host(host) for host in hosts)
    return [
        Middleware(_HostGuard, names=names, refuse=refuse),
        cors,
        Middleware(_OriginGuard, origins=allowed, pages=pages, guarded=guarded, refuse=refuse),
    ]


def checked_origin(text: str) -> str:
    """As browsers write it. Raises ConfigError."""
    origin = text.strip().lower()
    if origin == ANY:
        return origin
    if not _ORIGIN.fullmatch(origin):
        raise ConfigError(
            f'"{text}" is no origin: write scheme://host or scheme://host:port without a path, or * for any'
        )
    return origin.removesuffix(_DEFAULT_PORTS.get(origin.partition("://")[0], ""))


class _Cors(CORSMiddleware):
    """Starlette's; a subclass, because it has no other place for what a refusal looks like."""

    def __init__(
        self, app: ASGIApp, *, origins: Collection[str], pages: str | None, methods: Sequence[str], refuse: Refuse
    ) -> None:
        super().__init__(
            app,
            allow_origins=tuple(origins),
            allow_origin_regex=pages,
            allow_methods=methods,
            allow_headers=[ANY],  # SDKs send some of their own; whose page may call is decided by its origin
            allow_private_network=True,
            expose_headers=_EXPOSED,
        )
        self._refuse = refuse

    def preflight_response(self, request_headers: Headers) -> Response:
        response = super().preflight_response(request_headers)
        if response.status_code == HTTPStatus.OK:
            return response
        message = f"{bytes(response.body).decode()}: see --allow-origin."
        return _with_headers(self._refuse(HTTPStatus.BAD_REQUEST, "cors_not_allowed", message), response)


class _HostGuard:
    def __init__(self, app: ASGIApp, *, names: Collection[str], refuse: Refuse) -> None:
        self._app = app
        self._names = names
        self._refuse = refuse

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._names and scope["type"] != "lifespan":
            hosts = Headers(scope=scope).getlist("host")
            if len(hosts) != 1 or _bare(hosts[0]) not in self._names:
                message = "The server is not called by this name: see --allow-host."
                await self._refuse(HTTPStatus.MISDIRECTED_REQUEST, "unknown_host", message)(scope, receive, send)
                return
        await self._app(scope, receive, send)


class _OriginGuard:
    def __init__(
        self, app: ASGIApp, *, origins: Collection[str], pages: str | None, guarded: Collection[str], refuse: Refuse
    ) -> None:
        self._app = app
        self._origins = origins
        self._pages = pages
        self._guarded = guarded
        self._refuse = refuse

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        # No origin: no browser, which always tells where that matters.
        origins = Headers(scope=scope).getlist("origin") if scope["type"] in self._guarded else []
        if all(map(self._allows, origins)):
            await self._app(scope, receive, send)
            return
        message = "Pages of this origin may not call: see --allow-origin."
        await self._refuse(HTTPStatus.FORBIDDEN, "origin_not_allowed", message)(scope, receive, send)

    def _allows(self, origin: str) -> bool:
        if ANY in self._origins or origin in self._origins:
            return True
        return self._pages is not None and re.fullmatch(self._pages, origin) is not None


def _with_headers(response: Response, former: Response) -> Response:
    """Those that do not describe the body of the former one."""
    for name, value in former.headers.items():
        response.headers.setdefault(name, value)
    return response


def _bare(host: str) -> str | None:
    """Without the port; None when it is no host."""
    found = _HOST.fullmatch(host.strip().lower())
    return found["name"].strip("[]") if found else None


def _checked_host(text: str) -> str:
    """Raises ConfigError."""
    name = _bare(f"[{text}]" if text.count(":") > 1 and "[" not in text else text)
    if name is None:
        raise ConfigError(f'"{text}" is no host: write a name such as kiosk.local, or an address')
    return name
