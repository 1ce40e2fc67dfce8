"""What uvicorn logs, where it says too much: a sentence that is not true, and tracebacks of what is no failure.

Law: what is ours to mend keeps its traceback.
"""

from __future__ import annotations

import asyncio
import logging

_LOGGER = "uvicorn.error"
# uvicorn 0.54 says so of each WebSocket that is refused over HTTP (ASGI's "websocket.http.response"), after it sent
# that response: its websockets_sansio_impl.py counts only an acceptance and a close as a handshake.
_UNTRUE = "ASGI callable returned without completing handshake."
# RFC 6455 §8.1: "it MUST _Fail the WebSocket Connection_". uvicorn does, with 1007; the fault is the client's.
_BAD_TEXT = "Invalid UTF-8 sequence received from client."


class UvicornLog(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        """Never raises: a record may hold anything."""
        if record.msg == _UNTRUE:
            return False
        failure = record.exc_info[1] if record.exc_info else None
        if isinstance(failure, asyncio.CancelledError):
            # It was still served when the server's time to end was over.
            record.msg, record.args, record.exc_info = "A request was cut off.", None, None
        elif record.msg == _BAD_TEXT:
            record.exc_info = None
        return True


def tame_uvicorn_log() -> None:
    """May be called twice."""
    logger = logging.getLogger(_LOGGER)
    if not any(isinstance(present, UvicornLog) for present in logger.filters):
        logger.addFilter(UvicornLog())
