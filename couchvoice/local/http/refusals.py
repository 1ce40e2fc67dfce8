"""What the local server's paths answer when they cannot serve: OpenAI's error shape, over HTTP and before a WebSocket.

Law: whatever is wrong with a request, its sender gets JSON that names the code, the message and the parameter.
"""

from __future__ import annotations

from http import HTTPStatus

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from couchvoice.local.protocol.bad_event import BadEvent

BETA_DISABLED = "beta_api_shape_disabled"
BETA_MESSAGE = "The beta shape of the Realtime API is switched off: use the GA shape, or start the server with --beta."


class Refused(Exception):
    """A request that is answered with an error in OpenAI's shape. ``retry_after`` in seconds."""

    def __init__(
        self, status: int, code: str, message: str, param: str | None = None, *, retry_after: int | None = None
    ) -> None:
        super().__init__(status, code, message)
        self.status = status
        self.code = code
        self.message = message
        self.param = param
        self.retry_after = retry_after


def refusal(refused: Refused) -> Response:
    """An answer for either protocol: before a WebSocket is accepted, it is one over HTTP."""
    response = _error(refused.status, refused.code, refused.message, refused.param)
    if refused.retry_after is not None:
        response.headers["Retry-After"] = str(refused.retry_after)
    return response


async def _answer_refusal(_: Request, exc: Exception) -> Response:
    assert isinstance(exc, Refused)  # registered for nothing else
    return refusal(exc)


async def _answer_bad_parameter(_: Request, exc: Exception) -> Response:
    assert isinstance(exc, BadEvent)  # registered for nothing else
    return _error(HTTPStatus.BAD_REQUEST, exc.code, exc.message, exc.param)


async def _answer_http_error(_: Request, exc: Exception) -> Response:
    """Starlette's own: no such path, no such method."""
    assert isinstance(exc, HTTPException)  # registered for nothing else
    response = _error(exc.status_code, exc.detail.lower().replace(" ", "_"), exc.detail)
    response.headers.update(exc.headers or {})
    return response


def _error(status: int, code: str, message: str, param: str | None = None) -> Response:
    ours = status >= HTTPStatus.INTERNAL_SERVER_ERROR
    kind = "server_error" if ours else "invalid_request_error"
    error = {"message": message, "type": kind, "code": code, "param": param}
    return JSONResponse({"error": error}, status_code=status)


ANSWERS = {Refused: _answer_refusal, BadEvent: _answer_bad_parameter, HTTPException: _answer_http_error}
