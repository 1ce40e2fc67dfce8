"""One call: what is said in it comes from a performer, and travels on a WebRTC line.

    resource            acquired        released
    line                answer()        close(), which run() calls at its end
    ear (a task)        run()           with the performer
    performer           run()           with run()

Law: whatever ends the call (hangup, silence on the wire, a lost peer) ends ``run``, and ``run`` releases everything.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from couchvoice.audio.frames import AudioFrame
from couchvoice.local.engines import Engines
from couchvoice.local.line import Line
from couchvoice.local.manners import Manners
from couchvoice.local.mouth import Mouth
from couchvoice.local.performer import Performer, sound_ms
from couchvoice.local.protocol.client_event import InputAppend
from couchvoice.local.protocol.dialogue import Dialogue
from couchvoice.local.protocol.orders import Order, Speak
from couchvoice.local.protocol.session_object import SessionObject


class Call:
    """``answer`` first, then ``run`` until the call is over."""

    def __init__(self, call_id: str, session: SessionObject, engines: Engines, manners: Manners) -> None:
        self.call_id = call_id
        self._dialogue = Dialogue(
            session, call_id.removeprefix("rtc_"), foreign=InputAppend, text_only=bool(manners.faults.text_only)
        )
        self._performer = Performer(call_id, self._dialogue, engines, self, manners)
        self._joined: set[Callable[[dict[str, Any] | str], None]] = set()
        self._mouth = Mouth(on_started=self._playback_started, on_drained=self._playback_drained)
        self._line = Line(call_id, self._performer, manners, read=self._mouth.read)

    async def answer(self, offer: str, *, channel_id: int | None = None) -> str:
        """As Line.answer."""
        return await self._line.answer(offer, channel_id=channel_id)

    async def run(self) -> None:
        """Serve the call until it is over; releases everything."""
        try:
            await self._performer.run({"ear": self._line.listen, "watchdog": self._line.await_open})
        finally:
            await self.close()

    def hang_up(self) -> None:
        self._performer.stop()

    def join(self, tell: Callable[[dict[str, Any] | str], None]) -> None:
        """From now on somebody else is told what the client is told; first, how the session stands."""
        tell(self._dialogue.introduction())
        self._joined.add(tell)

    def leave(self, tell: Callable[[dict[str, Any] | str], None]) -> None:
        self._joined.discard(tell)

    def receive(self, message: str | bytes) -> None:
        """A client event, from whoever has joined the call."""
        self._performer.receive(message)

    async def over(self) -> None:
        """Return when the call is over."""
        await self._performer.over()

    async def close(self) -> None:
        """Release everything. May be called twice."""
        self._performer.stop()
        await self._line.close()

    def _playback_started(self, response_id: str) -> None:
        self._performer.perform(self._dialogue.playback_started(response_id))

    def _playback_drained(self, response_id: str) -> None:
        self._performer.perform(self._dialogue.playback_drained(response_id))

    # The performer's outlet

    @property
    def heard_ms(self) -> int:
        return self._mouth.said_ms

    def send(self, event: dict[str, Any] | str) -> None:
        self._line.send(event)
        for tell in list(self._joined):
            tell(event)

    @property
    def audible(self) -> bool:
        """False: the words alone are said."""
        return self._line.audible

    async def room(self) -> None:
        await self._mouth.room()

    def utter(self, order: Speak, sound: AudioFrame) -> list[Order]:
        self._mouth.say(order.response_id, sound)
        return self._dialogue.sentence_queued(order.response_id, ms=sound_ms(sound))

    def hush(self, response_id: str) -> None:
        self._mouth.hush(response_id)

    async def flush(self) -> None:
        await self._line.flush()

    def cut(self) -> None:
        self._line.cut()
