"""The list of ``couchvoice devices``: for people a line each, for programs an object each."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from couchvoice.apps.remembered_devices import RememberedDevices
from couchvoice.apps.screen import clean
from couchvoice.audio.devices import Device, list_devices
from couchvoice.audio.portaudio import Kind

_KINDS: tuple[Kind, ...] = ("input", "output")


def device_lines(state_dir: Path, *, as_json: bool) -> Iterator[str]:
    """Raises AudioDeviceError."""
    remembered = RememberedDevices(state_dir)
    names = {kind: remembered.name(kind) for kind in _KINDS}
    for device in list_devices():
        of_last_talk = [kind for kind in _KINDS if device.channels(kind) and device.name == names[kind]]
        yield _object(device, of_last_talk) if as_json else _line(device, of_last_talk)


def _line(device: Device, of_last_talk: list[Kind]) -> str:
    default = "*" if device.is_default_input or device.is_default_output else " "
    channels = f"{device.input_channels} in, {device.output_channels} out"
    remembered = f"  {' and '.join(of_last_talk)} of the last talk" if of_last_talk else ""
    return f"{default} {device.index:>3}  {clean(device.name)}  ({channels}, {device.default_rate} Hz){remembered}"


def _object(device: Device, of_last_talk: list[Kind]) -> str:
    return json.dumps(
        {
            "index": device.index,
            "name": device.name,
            "host_api": device.host_api,
            "input_channels": device.input_channels,
            "output_channels": device.output_channels,
            "default_rate": device.default_rate,
            "default_for": [kind for kind in _KINDS if device.is_default(kind)],
            "remembered_for": of_last_talk,
        }
    )
