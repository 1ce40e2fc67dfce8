"""Sound devices: the list, and the choice by index, name, or part of a name.

Law: an index lives as long as the list, a name as long as the device: who keeps a device keeps its name.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import ModuleType

from couchvoice.audio.permission import is_capture_forbidden, microphone_hint
from couchvoice.audio.portaudio import Kind, call, portaudio
from couchvoice.errors import DeviceNotFound, MicrophoneDenied


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """A sound device as PortAudio lists it. Indexes change when hardware does, names do not."""

    index: int
    name: str
    host_api: str
    input_channels: int
    output_channels: int
    default_rate: int
    is_default_input: bool
    is_default_output: bool

    def channels(self, kind: Kind) -> int:
        return self.input_channels if kind == "input" else self.output_channels

    def is_default(self, kind: Kind) -> bool:
        return self.is_default_input if kind == "input" else self.is_default_output


def list_devices() -> list[Device]:
    """All devices, as they were when PortAudio was last initialized. Raises AudioDeviceError."""
    return call(_list_devices)


def find_input(selector: str | None = None) -> Device:
    """By index, name, or part of a name in any case; without a selector the default. Raises AudioDeviceError."""
    return call(lambda: find("input", selector))


def find_output(selector: str | None = None) -> Device:
    """As find_input."""
    return call(lambda: find("output", selector))


def find(kind: Kind, selector: str | None) -> Device:
    """As find_input, for whoever is in PortAudio's thread already."""
    return choose(kind, _list_devices(), selector)


def find_named(kind: Kind, name: str) -> Device:
    """The one of exactly this name, in PortAudio's thread. Raises AudioDeviceError."""
    for device in _list_devices():
        if device.name == name and device.channels(kind):
            return device
    raise DeviceNotFound(kind, name)


def listed(sd: ModuleType) -> list[Device]:
    """What ``sd``, the module sounddevice, lists."""
    host_apis = [api["name"] for api in sd.query_hostapis()]
    default_input, default_output = sd.default.device
    return [
        Device(
            index=entry["index"],
            name=entry["name"],
            host_api=host_apis[entry["hostapi"]],
            input_channels=entry["max_input_channels"],
            output_channels=entry["max_output_channels"],
            default_rate=int(entry["default_samplerate"]),
            is_default_input=entry["index"] == default_input,
            is_default_output=entry["index"] == default_output,
        )
        for entry in sd.query_devices()
    ]


def choose(kind: Kind, devices: list[Device], selector: str | None) -> Device:
    """Raises DeviceNotFound, and MicrophoneDenied where the system shows us no microphone though it has some."""
    devices = [device for device in devices if device.channels(kind)]
    if not devices:
        if kind == "input" and is_capture_forbidden():
            raise MicrophoneDenied("this user may open none", microphone_hint())
        raise DeviceNotFound(kind, selector, hint=microphone_hint() if kind == "input" else None)
    if selector is None:
        return next((device for device in devices if device.is_default(kind)), devices[0])
    found = (
        [device for device in devices if str(device.index) == selector]
        or [device for device in devices if device.name == selector]
        or [device for device in devices if selector.casefold() in device.name.casefold()]
    )
    candidates = [f"{device.index} {device.name}" for device in found or devices]
    if not found:
        raise DeviceNotFound(kind, selector, candidates)
    # One card under several host APIs has one name; the first host API is the system's preferred one.
    if len({device.name for device in found}) > 1:
        raise DeviceNotFound(kind, selector, candidates, ambiguous=True)
    return found[0]


def _list_devices() -> list[Device]:
    with portaudio("output", "list the sound devices") as sd:
        return listed(sd)
