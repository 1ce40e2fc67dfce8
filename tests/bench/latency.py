"""``latency``: from the microphone to the wire and from the wire to the loudspeaker, beside a bare aiortc script.

A card that clicks hands its blocks to both in the same way; the far end, stock aiortc, notes when a packet with a click
has come, and when it has handed out a click of its own. The wire is loopback. What a card itself delays is in no
figure; Opus' look-ahead of 6.5 ms is in all.
Law: one call at a time, and a click is found in what comes, never announced.
"""

from __future__ import annotations

import asyncio
import statistics
from collections.abc import Callable
from fractions import Fraction
from typing import Any, Protocol

import av
import numpy as np
import pytest
from aiortc import MediaStreamTrack, RTCPeerConnection
from aiortc.rtp import RtpPacket

from couchvoice.audio.microphone import Microphone
from couchvoice.audio.opus import OpusDecoder
from couchvoice.audio.speaker import Speaker
from couchvoice.client.endpoints import Endpoints
from couchvoice.client.voice_session import VoiceSession
from tests.audio.fake_cards import installer
from tests.bench.bare_card import BareCard
from tests.bench.clicks import APART, CLICK, ClickingCard, Ear, first_loud
from tests.bench.far_end import FarEnd
from tests.bench.hum import FRAME, RATE, Hum
from tests.bench.rounds import Figures, ratio, take_turns

ROUNDS = 5
QUICK_ROUNDS = 2
CLICKS = 24  # in each direction, each round
QUICK_CLICKS = 8
SETTLING = 4  # clicks at the beginning that nobody counts
NEAREST = APART / 2  # seconds: what is heard later belongs to another click
FIGURES = ("to_wire_ms", "to_speaker_ms", "round_ms")
GOAL = {"round_ms": "less than the script's"}


class Call(Protocol):
    async def connect(self) -> None: ...
    async def close(self) -> None: ...


class OurCard:
    """A talk through the default devices."""

    def __init__(self, app: Any) -> None:
        url = "http://localhost"
        ends = Endpoints(backend_url=url, realtime_url=f"{url}/v1", backend_app=app, realtime_app=app)
        self._session = VoiceSession(ends, source=Microphone(), sink=Speaker(), echo="none")

    async def connect(self) -> None:
        await self._session.connect()

    async def close(self) -> None:
        await self._session.disconnect()


class ClickTrack(MediaStreamTrack):
    """The far end's voice. ``clicked``: when each click's frame was handed out."""

    kind = "audio"

    def __init__(self) -> None:
        super().__init__()
        self.clicked: list[float] = []
        self._pace = Hum()
        self._click = np.concatenate([CLICK, np.zeros(FRAME - CLICK.size, np.int16)])

    async def recv(self) -> av.AudioFrame:
        await self._pace.next()
        now = asyncio.get_running_loop().time()
        due = not self.clicked or now - self.clicked[-1] >= APART
        if due:
            self.clicked.append(now)
        frame = av.AudioFrame.from_ndarray((self._click if due else 0 * self._click)[None], format="s16", layout="mono")
        frame.sample_rate, frame.time_base, frame.pts = RATE, Fraction(1, RATE), self._pace.count
        return frame


def measure(*, quick: bool) -> dict[str, object]:
    with pytest.MonkeyPatch.context() as patch:
        return asyncio.run(_measure(installer(patch), quick=quick))


async def _measure(install: Callable[..., object], *, quick: bool) -> dict[str, object]:
    clicks = QUICK_CLICKS if quick else CLICKS

    def of(kind: Callable[[Any], Call]) -> Callable[[], Any]:
        async def run() -> Figures:
            return await _listen(kind, install, clicks)

        return run

    contestants = {"ours": of(OurCard), "bare": of(BareCard)}
    figures = await take_turns(contestants, QUICK_ROUNDS if quick else ROUNDS)
    ratios = {name: ratio(figures["ours"], figures["bare"], name) for name in FIGURES}
    return {**figures, "ratio": ratios, "goal": GOAL}


async def _listen(kind: Callable[[Any], Call], install: Callable[..., object], clicks: int) -> Figures:
    """One call: the medians of its clicks."""
    card, voice, ear = ClickingCard("card", inputs=1, outputs=1), ClickTrack(), Ear()
    install(card)
    call = kind(FarEnd(lambda: voice, lambda peer: _overhear(peer, ear)).asgi)
    await call.connect()
    try:
        await asyncio.sleep(APART * (clicks + SETTLING))
    finally:
        await call.close()
    to_wire = _delay_ms(card.clicked, ear.heard)
    to_speaker = _delay_ms(voice.clicked, card.ear.heard)
    return {"to_wire_ms": to_wire, "to_speaker_ms": to_speaker, "round_ms": to_wire + to_speaker}


def _overhear(peer: RTCPeerConnection, ear: Ear) -> None:
    """Note when each packet comes off the wire: its sound, whatever aiortc makes of it afterwards."""
    receiver: Any = peer.getReceivers()[0]
    decoder, handle = OpusDecoder(), receiver._handle_rtp_packet

    async def noted(packet: RtpPacket, arrival_time_ms: int) -> None:
        # All of a packet's sound is on the wire at once, wherever in it the click begins.
        if first_loud(decoder.decode(packet.payload)) is not None:
            ear.note(asyncio.get_running_loop().time())
        await handle(packet, arrival_time_ms=arrival_time_ms)

    receiver._handle_rtp_packet = noted


def _delay_ms(said: list[float], heard: list[float]) -> float:
    delays = []
    for at in said[SETTLING:-1]:
        after = [later - at for later in heard if 0 <= later - at < NEAREST]
        delays += after[:1]
    return 1000 * statistics.median(delays)
