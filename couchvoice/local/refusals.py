"""What the local server's paths answer when they cannot serve: OpenAI's error shape, over HTTP and before a WebSocket.

Law: whatever is wrong with a request, its sender gets JSON that names the code, the message and the parameter.
"""

from __future__ import annotations

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from couchvoice.local.bad_event import BadEvent


class Refused(Exception):
    """A request that is answered with an error in OpenAI's shape."""

    def __init__(self, status: int, code: str, message: str, param: str | None = None) -> None:
        super().__init__(status, code, message)
        self.status = status
        self.code = code
        self.message = message
        self.param = param


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


async def bounded_body(request: Request, limit: int) -> bytes:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > limit:
            raise Refused(400, "body_too_large", f"The body is larger than {limit // 1024} KiB.")
    return bytes(body)


ANSWERS = {Refused: _answer_refusal, BadEvent: _answer_bad_parameter, HTTPException: _answer_http_error}
