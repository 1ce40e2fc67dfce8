"""What the backend answers instead of a result: an HTTP status, a stable code, a sentence.

Law: every error leaves as ``{"detail": {"code", "message"}}``, and neither holds a secret, a text that somebody
spoke, or a foreign server's body. A true failure is logged by its type and place, never by its message.
"""

from __future__ import annotations

import logging
import re
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http import HTTPStatus

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from couchvoice.contract import ErrorBody, ErrorDetail
from couchvoice.errors import CouchvoiceError

INVALID_REQUEST = "invalid_request"

_log = logging.getLogger("couchvoice.backend")
# A name that a caller made up may be anything, a spoken sentence too; these are safe to repeat.
_FIELD_NAME = re.compile(r"[A-Za-z0-9_]{1,40}")


class Refused(CouchvoiceError):
    """The request gets this answer. ``retry_after`` in seconds."""

    def __init__(self, status: int, code: str, message: str, *, retry_after: int | None = None) -> None:
        super().__init__(status, code, message)
        self.status = status
        self.code = code
        self.message = message
        self.retry_after = retry_after

    def __str__(self) -> str:
        return f"{self.message} ({self.code})"


@contextmanager
def failing_as(code: str, message: str) -> Iterator[None]:
    """Turn whatever breaks inside into a 500 with this code."""
    try:
        yield
    except Refused:
        raise
    except Exception as exc:  # one request of a serving loop: the next one must not suffer
        _log.error("x %s: %s at %s", code, type(exc).__name__, _place(exc))
        raise Refused(HTTPStatus.INTERNAL_SERVER_ERROR, code, message) from exc


def install_error_bodies(app: FastAPI) -> None:
    """Give every error of this app the one shape."""
    app.add_exception_handler(Refused, _answer_refused)
    app.add_exception_handler(RequestValidationError, _answer_invalid)
    app.add_exception_handler(HTTPException, _answer_http)
    app.add_exception_handler(Exception, _answer_unforeseen)


def refusal(refused: Refused) -> JSONResponse:
    headers = {"Retry-After": str(refused.retry_after)} if refused.retry_after is not None else {}
    return error_response(refused.status, refused.code, refused.message, headers=headers)


def error_response(status: int, code: str, message: str, *, headers: Mapping[str, str] | None = None) -> JSONResponse:
    body = ErrorBody(detail=ErrorDetail(code=code, message=message))
    return JSONResponse(body.model_dump(), status_code=status, headers=headers)


async def _answer_refused(_: Request, exc: Exception) -> JSONResponse:
    assert isinstance(exc, Refused)  # it is registered for this class
    return refusal(exc)


async def _answer_invalid(_: Request, exc: Exception) -> JSONResponse:
    assert isinstance(exc, RequestValidationError)  # it is registered for this class
    problems = [f"{_field(error['loc'])}: {_problem(error)}" for error in exc.errors()]
    return error_response(HTTPStatus.UNPROCESSABLE_ENTITY, INVALID_REQUEST, "; ".join(dict.fromkeys(problems)))


async def _answer_http(_: Request, exc: Exception) -> JSONResponse:
    assert isinstance(exc, HTTPException)  # it is registered for this class
    if exc.status_code == HTTPStatus.BAD_REQUEST:
        return error_response(exc.status_code, INVALID_REQUEST, "the body cannot be read as JSON")
    status = HTTPStatus(exc.status_code)
    return error_response(status, status.name.lower(), status.phrase.lower(), headers=exc.headers)


async def _answer_unforeseen(_: Request, exc: Exception) -> JSONResponse:
    _log.error("x internal_error: %s at %s", type(exc).__name__, _place(exc))
    return error_response(HTTPStatus.INTERNAL_SERVER_ERROR, "internal_error", "the backend failed; see its log")


def _field(location: tuple[int | str, ...]) -> str:
    names = [str(part) for part in location if part not in ("body", "header", "query")]
    return ".".join(name if _FIELD_NAME.fullmatch(name) else "…" for name in names) or "body"


def _problem(error: Mapping[str, object]) -> str:
    if error["type"] == "json_invalid":
        return "not valid JSON"
    if error["type"] == "extra_forbidden":
        return "not a known field"
    if error["type"] == "model_attributes_type":  # pydantic speaks of Python's classes; curl -d of a form
        return "not a JSON object, or sent without Content-Type: application/json"
    return str(error["msg"]).lower()


def _place(exc: BaseException) -> str:
    frames = traceback.extract_tb(exc.__traceback__)
    return f"{frames[-1].filename}:{frames[-1].lineno}" if frames else "an unknown place"
