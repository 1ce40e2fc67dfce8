"""Server events as JSON texts on a data channel.

Law: no text is larger than MAX_EVENT, which is what stock peers take; in place of one that is, an error is sent.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import Any

import msgspec
from aiortc import RTCDataChannel
from aiortc.exceptions import InvalidStateError

from couchvoice.transports.peer import is_acknowledged

log = logging.getLogger("couchvoice.local.event_channel")

MAX_EVENT = 262_144  # bytes; libwebrtc and aiortc announce this as max-message-size
MAX_BUFFERED = 16 * 1024 * 1024  # bytes that may wait for the far end
FLUSH_TIMEOUT = 1.0  # seconds for the last events to be taken
ARRIVAL_TIMEOUT = 2.5  # seconds for them to arrive: SCTP sends again after one what was lost
_ARRIVAL_LOOK = 0.01  # seconds between two looks


class EventChannel:
    def __init__(self, channel: RTCDataChannel) -> None:
        self._channel = channel

    def send(self, event: dict[str, Any] | str) -> bool:
        """False when the far end takes nothing any more. Never raises: what cannot be sent is logged."""
        if self._channel.bufferedAmount > MAX_BUFFERED:
            log.warning("x the far end takes nothing: %d bytes wait for it", self._channel.bufferedAmount)
            return False
        text = event.encode() if isinstance(event, str) else msgspec.json.encode(event)
        if not self._try(text) and isinstance(event, dict):
            log.warning("x %s has %d bytes: an error is sent in its place", event["type"], len(text))
            self._try(msgspec.json.encode(_too_large(event, len(text))))
        return True

    async def flush(self) -> None:
        """Give the far end a moment to take what was sent, and the network one to bring it there: whoever hangs up at
        once may overtake his last words."""
        if self._channel.bufferedAmount:
            drained = asyncio.Event()
            self._channel.once("bufferedamountlow", drained.set)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(FLUSH_TIMEOUT):
                    await drained.wait()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(ARRIVAL_TIMEOUT):
                while self._is_under_way():  # noqa: ASYNC110  # aiortc tells of no acknowledgement
                    await asyncio.sleep(_ARRIVAL_LOOK)

    def _is_under_way(self) -> bool:
        return self._channel.readyState == "open" and not is_acknowledged(self._channel)

    def _try(self, text: bytes) -> bool:
        """False when it is too large for the far end."""
        if len(text) > MAX_EVENT:
            return False
        try:
            self._channel.send(text.decode())
        except InvalidStateError:
            log.debug("x the channel is closed: %d bytes are not sent", len(text))
        except ValueError:
            return False  # the far end has announced less than MAX_EVENT
        return True


def _too_large(event: dict[str, Any], size: int) -> dict[str, Any]:
    message = f"The event {event['type']} has {size} bytes, more than the data channel takes."
    error = {"type": "server_error", "code": "event_too_large", "message": message}
    return {"type": "error", "event_id": event["event_id"], "error": error}
