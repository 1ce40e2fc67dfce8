"""One session over WebSocket: sound comes and goes inside events, and the client plays it itself.

    resource            acquired        released
    reader, writer      run()           with the performer
    performer           run()           with run()
    connection          run()           run(), within CLOSE_TIMEOUT

Law: the clock is the sound that was appended. The client is sent what is made as fast as it is made and as it takes
it; one that takes nothing is let go. Pings, and the size of a message, are the HTTP server's.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import msgspec
from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState

from couchvoice.audio.frames import AudioFrame
from couchvoice.local.client_event import OutputClear
from couchvoice.local.dialogue import Dialogue
from couchvoice.local.engines import Engines
from couchvoice.local.orders import Order, Speak
from couchvoice.local.performer import Performer, sound_ms
from couchvoice.local.send_queue import SendQueue
from couchvoice.local.session_object import SessionObject
from couchvoice.local.wire_audio import chunks_for_wire

log = logging.getLogger("couchvoice.local.websocket")

CLOSE_TIMEOUT = 2.0  # seconds
GOING_AWAY, TOO_SLOW = 1001, 1008  # RFC 6455 §7.4.1


class SocketSession:
    """``run`` it once the connection is accepted."""

    def __init__(self, name: str, socket: WebSocket, session: SessionObject, engines: Engines) -> None:
        self.name = name
        self._socket = socket
        self._dialogue = Dialogue(session, name.removeprefix("sess_"), foreign=OutputClear)
        self._performer = Performer(name, self._dialogue, engines, self)
        self._queue = SendQueue()
        self._close_code = GOING_AWAY

    async def run(self) -> None:
        """Serve the session until it is over; releases everything."""
        try:
            self._performer.open()
            await self._performer.run({"reader": self._read, "writer": self._write})
        finally:
            await self._close()
            log.info("- %s is over", self.name)

    def hang_up(self) -> None:
        self._performer.stop()

    async def _read(self) -> None:
        while (message := await self._socket.receive())["type"] == "websocket.receive":
            text = message.get("text")
            self._performer.receive(message["bytes"] if text is None else text)
            await self._performer.hear_appended()
        self.hang_up()

    async def _write(self) -> None:
        try:
            while True:
                await self._socket.send_text(await self._queue.get())
        except WebSocketDisconnect:
            self.hang_up()

    async def _close(self) -> None:
        states = self._socket.client_state, self._socket.application_state
        if WebSocketState.DISCONNECTED in states:
            return
        try:
            async with asyncio.timeout(CLOSE_TIMEOUT):
                await self._socket.close(self._close_code)
        except (TimeoutError, WebSocketDisconnect):
            log.debug("x %s: the client does not take its end", self.name)

    # The performer's outlet

    @property
    def heard_ms(self) -> int:
        """Only the client knows."""
        return 0

    def send(self, event: dict[str, Any]) -> None:
        if not self._queue.put(msgspec.json.encode(event).decode()):
            log.warning("x %s: the client takes nothing, the session ends", self.name)
            self._close_code = TOO_SLOW
            self.hang_up()

    @property
    def audible(self) -> bool:
        return True

    async def room(self) -> None:
        await self._queue.room()

    def utter(self, order: Speak, sound: AudioFrame) -> list[Order]:
        chunks = chunks_for_wire(sound, order.format)
        return self._dialogue.sentence_sent(order.response_id, chunks, ms=sound_ms(sound))

    def hush(self, response_id: str) -> None:
        """What was sent is the client's to stop."""
