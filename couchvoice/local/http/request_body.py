"""The body of a request, bounded in size and in time.

Law: at most ``limit`` bytes are held, whatever Content-Length claims, and a sender who dawdles is let go.
"""

from __future__ import annotations

from http import HTTPStatus

from starlette.requests import ClientDisconnect, Request

from couchvoice.local.http.ending import Ending
from couchvoice.local.http.refusals import Refused

BODY_TIMEOUT = 10.0  # seconds for the whole body


async def bounded_body(request: Request, limit: int, ending: Ending) -> bytes:
    """Raises Refused."""
    body = bytearray()
    try:
        async with ending.wait(within=BODY_TIMEOUT):
            async for chunk in request.stream():
                body += chunk
                if len(body) > limit:
                    message = f"The body is larger than {limit // 1024} KiB."
                    raise Refused(HTTPStatus.BAD_REQUEST, "body_too_large", message)
    except TimeoutError as exc:
        message = f"The body did not come within {BODY_TIMEOUT:g} s."
        raise Refused(HTTPStatus.REQUEST_TIMEOUT, "request_timeout", message) from exc
    except ClientDisconnect as exc:
        # Nobody reads this answer; it is for the counts.
        message = "The connection ended before the body did."
        raise Refused(HTTPStatus.BAD_REQUEST, "client_disconnected", message) from exc
    return bytes(body)
