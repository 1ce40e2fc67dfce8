"""One session over WebSocket: sound comes and goes inside events, and the client plays it itself.

    resource            acquired        released
    reader, writer      run()           with the performer
    performer           run()           with run()
    connection          run()           run(), within socket_line.CLOSE_TIMEOUT

Law: the clock is the sound that was appended. The client is sent what is made as fast as it is made and as it takes
it; one that takes nothing is let go.
"""

from __future__ import annotations

import logging
from typing import Any

from starlette.websockets import WebSocket

from couchvoice.audio.frames import AudioFrame
from couchvoice.local.engines import Engines
from couchvoice.local.manners import Manners
from couchvoice.local.performer import Performer, sound_ms
from couchvoice.local.protocol.client_event import OutputClear
from couchvoice.local.protocol.dialogue import Dialogue
from couchvoice.local.protocol.orders import Order, Speak
from couchvoice.local.protocol.session_object import SessionObject
from couchvoice.local.protocol.wire_audio import chunks_for_wire
from couchvoice.local.socket_line import SocketLine

log = logging.getLogger("couchvoice.local.websocket")


class SocketSession:
    """``run`` it once the connection is accepted."""

    def __init__(
        self, name: str, socket: WebSocket, session: SessionObject, engines: Engines, manners: Manners
    ) -> None:
        self.name = name
        self._line = SocketLine(name, socket)
        self._dialogue = Dialogue(
            session, name.removeprefix("sess_"), foreign=OutputClear, text_only=bool(manners.faults.text_only)
        )
        self._performer = Performer(name, self._dialogue, engines, self, manners)
        self._is_cut = False

    async def run(self) -> None:
        """Serve the session until it is over; releases everything."""
        try:
            self._performer.open()
            await self._performer.run({"reader": self._read, "writer": self._write})
        finally:
            if not self._is_cut:
                await self._line.close()
            log.info("- %s is over", self.name)

    def hang_up(self) -> None:
        self._performer.stop()

    async def _read(self) -> None:
        async for message in self._line.read():
            self._performer.receive(message)
            await self._performer.hear_appended()
        self.hang_up()

    async def _write(self) -> None:
        await self._line.write()
        self.hang_up()

    # The performer's outlet

    @property
    def heard_ms(self) -> int:
        """Only the client knows."""
        return 0

    @property
    def audible(self) -> bool:
        return True

    def send(self, event: dict[str, Any] | str) -> None:
        if not self._line.send(event):
            self.hang_up()

    async def room(self) -> None:
        await self._line.room()

    def utter(self, order: Speak, sound: AudioFrame) -> list[Order]:
        chunks = chunks_for_wire(sound, order.format)
        return self._dialogue.sentence_sent(order.response_id, chunks, ms=sound_ms(sound))

    def hush(self, response_id: str) -> None:
        """What was sent is the client's to stop."""

    async def flush(self) -> None:
        await self._line.flush()

    def cut(self) -> None:
        """The HTTP server drops a connection whose application ends without closing it (RFC 6455 §7.1.7)."""
        self._is_cut = True
