"""A look at the devices that are there now, without disturbing those in use: in a process of its own.

Our own PortAudio sees only what was there when it was initialized, and a failed try to open prints into the terminal.
A look costs about 0.1 s of one core, so it is taken only while something is missing.
"""

from __future__ import annotations

import asyncio
import json
import logging
import sys
from asyncio.subprocess import DEVNULL, PIPE
from dataclasses import asdict, dataclass

from couchvoice.audio.portaudio import Kind

LOOK_TIMEOUT = 5.0  # seconds; a busy small board takes one

log = logging.getLogger("couchvoice.audio")


@dataclass(frozen=True, slots=True)
class Found:
    """Names of devices that can be opened: the one that was asked for, and the system's default."""

    wanted: str | None = None
    default: str | None = None


async def look(kind: Kind, wanted: str | None) -> Found:
    """What can be opened now. Never raises for what is not there."""
    command = [sys.executable, "-m", "couchvoice.audio.look", kind, *([] if wanted is None else [wanted])]
    try:
        child = await asyncio.create_subprocess_exec(*command, stdin=DEVNULL, stdout=PIPE, stderr=DEVNULL)
    except OSError as exc:
        log.debug("x no look at the sound devices: %s", exc)
        return Found()
    try:
        async with asyncio.timeout(LOOK_TIMEOUT):
            told, _ = await child.communicate()
        return Found(**json.loads(told))
    except (TimeoutError, ValueError) as exc:  # ValueError: it broke before it could tell
        log.debug("x no look at the sound devices: %s", exc)
        return Found()
    finally:
        if child.returncode is None:
            child.kill()
            await child.wait()


def _look(kind: Kind, wanted: str | None) -> Found:
    import sounddevice as sd

    from couchvoice.audio.devices import Device, choose, listed
    from couchvoice.errors import AudioDeviceError

    devices = [device for device in listed(sd) if device.channels(kind)]
    check = sd.check_input_settings if kind == "input" else sd.check_output_settings

    def opens(device: Device) -> bool:
        try:
            check(device=device.index)  # in its own rate and channels: asks the system, as opening does
        except sd.PortAudioError:
            return False
        return True

    named = any(device.name == wanted and opens(device) for device in devices)
    try:
        default = choose(kind, devices, None)
    except AudioDeviceError:
        return Found()
    return Found(wanted if named else None, default.name if opens(default) else None)


if __name__ == "__main__":
    asked_for, *names = sys.argv[1:]
    found = _look("input" if asked_for == "input" else "output", names[0] if names else None)
    sys.stdout.write(json.dumps(asdict(found)))
