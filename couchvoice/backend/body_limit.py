"""The body limit: what is too large, too slow or packed is refused before anything parses it.

Not a rate limit. Law: at most a path's number of bytes is ever held, whatever Content-Length claims, and nothing is
unpacked: a small packet may be a large body.
"""

from __future__ import annotations

import asyncio
from http import HTTPStatus

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from couchvoice.backend.refusals import Refused, refusal
from couchvoice.contract import TOOLS_PATH, TURN_PATH

MAX_BODY = 64 * 1024  # bytes
LARGER_BODIES = {
    TURN_PATH: 1024 * 1024,  # it carries the outputs of its tools, each up to 64 KiB
    TOOLS_PATH: 256 * 1024,  # it carries the last lines of the talk
}
BODY_TIMEOUT = 10.0  # seconds for the whole body


class BodyLimit:
    """ASGI middleware: reads the body, then hands it on in one piece."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        try:
            body = await _body(scope, receive)
        except Refused as exc:
            await refusal(exc)(scope, receive, send)
            return
        if body is not None:
            await self._app(scope, _replay(body, receive), send)


async def _body(scope: Scope, receive: Receive) -> bytes | None:
    """None: the sender has gone. Raises Refused."""
    if Headers(scope=scope).get("content-encoding", "identity").lower() != "identity":
        raise Refused(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "body_encoded", "send the body as it is, not compressed")
    limit = LARGER_BODIES.get(scope["path"], MAX_BODY)
    body = bytearray()
    try:
        async with asyncio.timeout(BODY_TIMEOUT):
            more = True
            while more:
                message = await receive()
                if message["type"] == "http.disconnect":
                    return None
                body += message.get("body", b"")
                more = message.get("more_body", False)
                if len(body) > limit:
                    raise Refused(
                        HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "body_too_large", f"the body is larger than {limit} bytes"
                    )
    except TimeoutError:
        raise Refused(
            HTTPStatus.REQUEST_TIMEOUT, "body_timeout", f"the body did not come within {BODY_TIMEOUT:g} s"
        ) from None
    return bytes(body)


def _replay(body: bytes, receive: Receive) -> Receive:
    whole: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def replay() -> Message:
        return whole.pop() if whole else await receive()

    return replay
