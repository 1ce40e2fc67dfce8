"""One request to the backend, and what its answer means.

Law: whatever goes wrong leaves as a BackendError that says what, where and whether another try makes sense; what a
foreign server says of it is cut to a bound.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from couchvoice.contract import ErrorBody
from couchvoice.errors import BackendError, RateLimited, Unauthorized, Unavailable
from couchvoice.transports.http import HttpClient, HttpFailure, HttpReply

MAX_CODE = 80  # characters of an error's code
MAX_MESSAGE = 300  # characters of an error's message

Reply = TypeVar("Reply", bound=BaseModel)


async def exchange(
    http: HttpClient,
    method: str,
    base_url: str,
    path: str,
    body: bytes | None,
    headers: Mapping[str, str],
    expect: type[Reply],
    *,
    within: float,
) -> Reply:
    """Raises BackendError. ``within``: seconds for the whole of it."""
    url = base_url + path
    try:
        reply = await http.send(method, url, body, headers, within=within)
    except HttpFailure as exc:
        raise Unavailable(url, None, "backend_unreachable", str(exc)) from exc
    if not reply.ok:
        raise refusal(url, reply)
    try:
        return expect.model_validate_json(reply.body)
    except ValidationError as exc:
        what = "no JSON" if exc.errors()[0]["type"] == "json_invalid" else f"not what {path} promises"
        raise BackendError(url, None, "backend_answered_nonsense", f"the answer is {what}") from exc


def refusal(url: str, reply: HttpReply) -> BackendError:
    """What an answer other than 2xx means."""
    code, message = f"http_{reply.status}", f"{len(reply.body)} bytes that are no error message"
    try:
        detail = ErrorBody.model_validate_json(reply.body).detail
        code, message = detail.code[:MAX_CODE], detail.message[:MAX_MESSAGE]
    except ValidationError:
        pass  # the status alone has to do
    match reply.status:
        case 401 | 403:
            return Unauthorized(url, reply.status, code, message)
        case 429:
            limited = RateLimited(url, reply.status, code, message)
            limited.retry_after = _seconds(reply.headers.get("retry-after"))
            return limited
        case status if status >= 500:
            return Unavailable(url, status, code, message)
        case status:
            return BackendError(url, status, code, message)


def _seconds(text: str | None) -> float | None:
    """``Retry-After`` in seconds; the form with a date is ignored."""
    try:
        return max(0.0, float(text or ""))
    except ValueError:
        return None
