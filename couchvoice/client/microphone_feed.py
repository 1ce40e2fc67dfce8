"""What the transport hears of the user: the source in even frames without echo, silence instead, or nothing more.

Law: while the user's words are not meant for the assistant (muted, or push-to-talk and the button is up) true silence
leaves this machine, whatever the microphone hears; the source is read all the same, for its time goes on.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from couchvoice.audio.echo import EchoControl
from couchvoice.audio.frames import AudioFrame, silence
from couchvoice.audio.reframe import EvenReader
from couchvoice.audio.source import Source
from couchvoice.errors import AudioDeviceError, CouchvoiceError

log = logging.getLogger("couchvoice.client")


class MicrophoneFeed:
    """``echo`` takes the loudspeaker out, ``is_meant`` tells whether what is heard now may leave, ``fail`` is told when
    the source breaks."""

    def __init__(
        self,
        source: Source,
        *,
        echo: EchoControl,
        is_meant: Callable[[], bool],
        fail: Callable[[CouchvoiceError], None],
    ) -> None:
        self._source = source
        self._even = EvenReader(source)
        self._echo = echo
        self._is_meant = is_meant
        self._fail = fail
        self._silent = False

    async def open(self) -> None:
        """Raises AudioDeviceError or ConfigError."""
        await self._source.open()

    async def read(self) -> AudioFrame:
        """20 ms of 48 kHz."""
        if self._silent:
            await asyncio.Event().wait()  # until the transport lets go of its track
        try:
            # Also what is not meant to leave: the room is learnt from it.
            frame = self._echo.clean(await self._even.read())
        except Exception as exc:
            # One item of a serving loop: aiortc would end its track without a word.
            log.exception("x the microphone failed")
            self._fail(exc if isinstance(exc, CouchvoiceError) else AudioDeviceError(f"the microphone failed: {exc}"))
            self._silent = True
            return await self.read()
        return frame if self._is_meant() else AudioFrame(silence(frame.samples.size), frame.rate)

    async def close(self) -> None:
        """Nothing more leaves from here on. Idempotent."""
        self._silent = True
        await self._source.close()
