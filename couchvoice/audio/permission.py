"""Whether the system keeps the microphone from us, and what a person can do about it on each system.

Linux refuses to open a device, Windows refuses or lists none, macOS hands out digital silence: only what refuses can
be known at once, the silence is told by ``Microphone`` after a while.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

_CAPTURE_DEVICES = "pcm*c"  # ALSA's, below /dev/snd: pcmC0D0c
_WORDS = ("permission", "not permitted", "denied")
# EACCES and EPERM as ALSA returns them; E_ACCESSDENIED of Windows, as a signed number.
_HOST_ERRORS = frozenset({-13, -1, -2147024891})
_HOST_ERROR = -9999  # PortAudio's paUnanticipatedHostError: the third argument says more

_HINTS = {
    "darwin": "System Settings > Privacy & Security > Microphone: allow the terminal or the program that runs this",
    "win32": 'Settings > Privacy & security > Microphone: switch on "Let desktop apps access your microphone"',
}
_LINUX_HINT = (
    'join the group "audio" (sudo usermod -aG audio $USER, then log in again); '
    "a container or a service needs the sound server's socket, or /dev/snd"
)


def microphone_hint(platform: str = sys.platform) -> str:
    """Where a person allows the microphone."""
    return _HINTS.get(platform, _LINUX_HINT)


def is_denial(error: Exception) -> bool:
    """``error``: a PortAudioError, whose arguments are its text, its number, and the host API's own error."""
    _, number, host = (*error.args, None, None, None)[:3]
    if number != _HOST_ERROR or not isinstance(host, tuple):
        return False
    _, code, text = (*host, None, None, None)[:3]
    return code in _HOST_ERRORS or any(word in str(text).lower() for word in _WORDS)


def is_capture_forbidden(devices: Path = Path("/dev/snd")) -> bool:
    """There are capture devices, and this user may open none: then ALSA lists none either."""
    found = list(devices.glob(_CAPTURE_DEVICES))
    return bool(found) and not any(os.access(device, os.R_OK | os.W_OK) for device in found)
