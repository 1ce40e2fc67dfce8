"""How long after the end of a question the first sound of its answer comes, over either transport.

The question ends when its last sample that is not zero has been sent, at the pace at which it would be spoken. Over
WebRTC the answer begins with the first RTP packet that has sound in it, over WebSocket with the first delta.
"""

from __future__ import annotations

import asyncio
import base64
import json
import time
from bisect import bisect_left
from collections.abc import Iterable
from typing import Any

import httpx
import websockets

from tests.bench import utterance
from tests.bench.caller import Caller
from tests.bench.hum import Hum

PCM_RATE = 24_000  # Hz, of audio/pcm
FIRST = -50  # frames: a second of silence, in which the session is told how long to wait
LATER = -125  # frames, over WebSocket: its questions are not answered while those over WebRTC are
LAST = utterance.FRAMES - 1  # the frame with the end of the question
KEY = {"Authorization": "Bearer bench"}


async def over_webrtc(url: str, packets: list[bytes], silence_ms: int, rounds: int) -> list[float]:
    """Seconds, for each question."""
    caller = Caller(packets, first=FIRST, mark=LAST)
    async with httpx.AsyncClient() as http:
        await caller.connect(http, url)
    try:
        caller.send(_update(silence_ms))
        await _asked(caller, rounds)
        return _delays(caller.track.marks, _sounds(caller))
    finally:
        await caller.close()


async def echo(url: str, packets: list[bytes], rounds: int) -> list[float]:
    """Seconds from the first packet of each question to that of its echo: what a call costs whatever it answers."""
    caller = Caller(packets, first=FIRST, mark=0)
    async with httpx.AsyncClient() as http:
        await caller.connect(http, url)
    try:
        await _asked(caller, rounds)
        return _delays(caller.track.marks, _sounds(caller))
    finally:
        await caller.close()


async def over_websocket(url: str, silence_ms: int, rounds: int) -> list[float]:
    """Seconds, for each question."""
    frames = utterance.question(PCM_RATE)
    appends = [_append(frame.tobytes()) for frame in frames]
    marks: list[float] = []
    sounds: list[float] = []
    async with websockets.connect(url, additional_headers=KEY, max_size=None, compression=None) as socket:

        async def listen() -> None:
            sounds.extend([time.time() async for text in socket if '"response.output_audio.delta"' in str(text)])

        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(listen(), name="listen")
            await socket.send(_update(silence_ms))
            pace = Hum()
            for number in range(LATER, rounds * len(appends)):
                await pace.next()
                await socket.send(appends[number % len(appends)])
                if number % len(appends) == LAST:
                    marks.append(time.time())
            await socket.close()
    return _delays(marks, sounds)


async def _asked(caller: Caller, rounds: int) -> None:
    await asyncio.sleep(-FIRST / utterance.FRAMES_PER_SECOND + rounds * utterance.PERIOD)


def _sounds(caller: Caller) -> list[float]:
    return [arrival.at for arrival in caller.arrivals if arrival.size > utterance.SOUND]


def _delays(marks: Iterable[float], sounds: list[float]) -> list[float]:
    """From each mark to the next sound; a question that was not answered before the next one is no delay."""
    found = [(mark, bisect_left(sounds, mark)) for mark in marks]
    delays = [sounds[place] - mark for mark, place in found if place < len(sounds)]
    return [delay for delay in delays if delay < utterance.PERIOD - utterance.FRAMES / utterance.FRAMES_PER_SECOND]


def _update(silence_ms: int) -> str:
    detection: dict[str, Any] = {"type": "server_vad", "silence_duration_ms": silence_ms}
    session = {"type": "realtime", "audio": {"input": {"turn_detection": detection}}}
    return json.dumps({"type": "session.update", "session": session})


def _append(pcm: bytes) -> str:
    return json.dumps({"type": "input_audio_buffer.append", "audio": base64.b64encode(pcm).decode()})
