"""The body limit: what is too large is refused before anything parses it.

Not a rate limit. Law: at most ``limit`` bytes of a request are ever held, whatever Content-Length claims.
"""

from __future__ import annotations

from http import HTTPStatus

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from couchvoice.backend.refusals import error_response

MAX_BODY = 1024 * 1024  # bytes: a turn carries the outputs of its tools, each up to 64 KiB


class BodyLimit:
    """ASGI middleware: reads the body, then hands it on in one piece."""

    def __init__(self, app: ASGIApp, *, limit: int = MAX_BODY) -> None:
        self._app = app
        self._limit = limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        body = b""
        more = True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                return
            body += message.get("body", b"")
            more = message.get("more_body", False)
            if len(body) > self._limit:
                refusal = error_response(
                    HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
                    "body_too_large",
                    f"the body is larger than {self._limit} bytes",
                )
                await refusal(scope, receive, send)
                return
        await self._app(scope, _replay(body, receive), send)


def _replay(body: bytes, receive: Receive) -> Receive:
    whole: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def replay() -> Message:
        return whole.pop() if whole else await receive()

    return replay
