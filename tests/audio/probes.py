"""Programs that use real devices, each in its own process: ``python -m tests.audio.probes NAME …`` prints JSON."""

from __future__ import annotations

import asyncio
import ctypes.util
import json
import sys
from collections.abc import Callable, Coroutine
from pathlib import Path

import numpy as np

from couchvoice.audio import devices
from couchvoice.audio.frames import SAMPLE_RATE, AudioFrame
from couchvoice.audio.microphone import Microphone
from couchvoice.audio.playout import PlayoutBuffer
from couchvoice.audio.speaker import Speaker
from couchvoice.audio.wav import WavSource
from couchvoice.errors import AudioDeviceError
from tests.audio.tones import pcm16, strongest_hertz, tone

ROOT = Path(__file__).parents[2]
LOUD = 3_000


async def hear(wav: str) -> dict[str, object]:
    """Play a file into the microphone with PulseAudio's own player; tell what Microphone gave."""
    microphone = Microphone("couch_mic")
    await microphone.open()
    await microphone.read()
    # Beside it: what nobody reads while a program starts would be lost.
    starting = asyncio.create_task(asyncio.create_subprocess_exec("paplay", "-d", "micfeed", wav))
    frames = [await microphone.read() for _ in range(75)]
    await (await starting).wait()
    await microphone.close()
    await microphone.close()
    return _told(frames) | {"lost": microphone.lost_blocks}


async def speak() -> dict[str, object]:
    """Play a tone with Speaker; tell what the speaker's monitor gave, through Microphone."""
    playout, speaker, microphone = PlayoutBuffer(), Speaker("couch_speaker"), Microphone("couch_loop")
    await microphone.open()
    await speaker.open(playout)
    playout.push(AudioFrame(pcm16(tone(1.0)), SAMPLE_RATE))
    frames = [await microphone.read() for _ in range(75)]
    before = playout.counters
    await speaker.close()
    await speaker.close()
    await microphone.close()
    return _told(frames) | {"played_ms": before.played_ms, "underflows": speaker.underflows}


async def outlive() -> dict[str, object]:
    """Go on through the death of the daemon: the parent kills it after ``ready``, and then writes a line."""
    playout, speaker, microphone = PlayoutBuffer(), Speaker("couch_speaker"), Microphone("couch_mic")
    await microphone.open()
    await speaker.open(playout)
    await microphone.read()
    print("ready", flush=True)  # noqa: T201
    killed = asyncio.get_running_loop().run_in_executor(None, sys.stdin.readline)
    while not killed.done():
        playout.push(await microphone.read())
    start = asyncio.get_running_loop().time()
    frames = []
    for _ in range(50):
        playout.push(AudioFrame(pcm16(tone(0.02)), SAMPLE_RATE))
        frames.append(await microphone.read())
    seconds = asyncio.get_running_loop().time() - start
    await speaker.close()
    await microphone.close()
    closing = asyncio.get_running_loop().time() - start - seconds
    return _told(frames) | {"seconds": seconds, "closing_seconds": closing}


async def choose(*selectors: str) -> dict[str, object]:
    """What each selector finds, as input and as output, or why not."""
    return {
        "names": [device.name for device in devices.list_devices()],
        "inputs": [_found(devices.find_input, selector) for selector in selectors],
        "outputs": [_found(devices.find_output, selector) for selector in selectors],
        "defaults": [_found(devices.find_input, None), _found(devices.find_output, None)],
    }


async def refuse() -> dict[str, object]:
    """As on a machine where the system's package is missing: what cannot be opened says why, WAV files play on."""
    ctypes.util.find_library = lambda name: None
    said = []
    for opening in (Microphone().open(), Speaker().open(PlayoutBuffer())):
        try:
            await opening
        except AudioDeviceError as exc:
            said.append(str(exc))
    wav = WavSource(ROOT / "fixtures/bad/two-hours.wav")
    await wav.open()
    played = await wav.read()
    await wav.close()
    return {"said": said, "wav_plays": bool(played.samples.any())}


def _found(find: Callable[[str | None], devices.Device], selector: str | None) -> str:
    try:
        return find(selector).name
    except AudioDeviceError as exc:
        return f"refused: {exc}"


def _told(frames: list[AudioFrame]) -> dict[str, object]:
    """Shapes, how long it is loud, and the strongest frequency there."""
    samples = np.concatenate([frame.samples for frame in frames])
    loud = np.flatnonzero(np.abs(samples) > LOUD)
    return {
        "sizes": sorted({frame.samples.size for frame in frames}),
        "rates": sorted({frame.rate for frame in frames}),
        "loud_seconds": (loud[-1] - loud[0]) / SAMPLE_RATE if loud.size else 0.0,
        "hertz": strongest_hertz(samples[loud[0] : loud[-1]]) if loud.size else None,
    }


PROBES: dict[str, Callable[..., Coroutine[None, None, dict[str, object]]]] = {
    probe.__name__: probe for probe in (hear, speak, outlive, choose, refuse)
}

if __name__ == "__main__":
    print(json.dumps(asyncio.run(PROBES[sys.argv[1]](*sys.argv[2:]))))  # noqa: T201
