"""Which device a talk gets: the one that is named, else the one that was named for the last talk, else the system's.

Law: what is named and not there is an error; what is only remembered and not there is not.
"""

from __future__ import annotations

from couchvoice.apps.remembered_devices import RememberedDevices
from couchvoice.apps.screen import Screen
from couchvoice.audio.devices import find_input, find_output, list_devices
from couchvoice.audio.portaudio import Kind

DEFAULT = "default"  # as a name: the system's, and nothing else is remembered any more


def chosen_device(kind: Kind, selector: str | None, screen: Screen, remembered: RememberedDevices) -> str | None:
    """The selector of the device; None for the default. Raises AudioDeviceError when there is none."""
    find = find_input if kind == "input" else find_output
    if selector == DEFAULT:
        find()
        remembered.remember(kind, None)
        return None
    if selector is not None:
        remembered.remember(kind, find(selector).name)
        return selector
    default, name = find(), remembered.name(kind)
    if name is None or name == default.name:
        return None
    word = "microphone" if kind == "input" else "loudspeaker"
    if not any(device.name == name and device.channels(kind) for device in list_devices()):
        screen.show_hint(f'the {word} "{name}" of the last talk is not there: "{default.name}" is used')
        return None
    screen.show_hint(f'{word}: "{name}", as in the last talk (--{kind} {DEFAULT} for the system\'s)')
    return name
