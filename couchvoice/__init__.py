"""couchvoice: a Python-native WebRTC peer for realtime voice.

The public names are loaded on first use, so that ``import couchvoice`` costs nothing and loads no aiortc, av or numpy.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from couchvoice.audio.echo_policy import EchoPolicy
    from couchvoice.audio.frames import AudioFrame
    from couchvoice.audio.microphone import Microphone
    from couchvoice.audio.sink import NullSink
    from couchvoice.audio.source import SilentSource
    from couchvoice.audio.speaker import Speaker
    from couchvoice.audio.wav import WavSink, WavSource
    from couchvoice.client.endpoints import Endpoints
    from couchvoice.client.voice_session import VoiceSession
    from couchvoice.contract import SessionRequest
    from couchvoice.core.notices import (
        AssistantTranscript,
        DeviceChanged,
        Interrupted,
        MuteChanged,
        Problem,
        StateChanged,
        ToolActivity,
        ToolResult,
        TurnRecorded,
        UsageChanged,
        UserTranscript,
    )
    from couchvoice.core.state import SessionState
    from couchvoice.core.usage import Usage
    from couchvoice.errors import CouchvoiceError, UpdateRefused

__version__ = "0.1.0"
__all__ = [
    "AssistantTranscript",
    "AudioFrame",
    "CouchvoiceError",
    "DeviceChanged",
    "EchoPolicy",
    "Endpoints",
    "Interrupted",
    "Microphone",
    "MuteChanged",
    "NullSink",
    "Problem",
    "SessionRequest",
    "SessionState",
    "SilentSource",
    "Speaker",
    "StateChanged",
    "ToolActivity",
    "ToolResult",
    "TurnRecorded",
    "UpdateRefused",
    "Usage",
    "UsageChanged",
    "UserTranscript",
    "VoiceSession",
    "WavSink",
    "WavSource",
]

_HOMES = {
    "AudioFrame": "couchvoice.audio.frames",
    "CouchvoiceError": "couchvoice.errors",
    "EchoPolicy": "couchvoice.audio.echo_policy",
    "Endpoints": "couchvoice.client.endpoints",
    "Microphone": "couchvoice.audio.microphone",
    "NullSink": "couchvoice.audio.sink",
    "SessionRequest": "couchvoice.contract",
    "SessionState": "couchvoice.core.state",
    "SilentSource": "couchvoice.audio.source",
    "Speaker": "couchvoice.audio.speaker",
    "UpdateRefused": "couchvoice.errors",
    "Usage": "couchvoice.core.usage",
    "VoiceSession": "couchvoice.client.voice_session",
    "WavSink": "couchvoice.audio.wav",
    "WavSource": "couchvoice.audio.wav",
}
_DEFAULT_HOME = "couchvoice.core.notices"


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module(_HOMES.get(name, _DEFAULT_HOME)), name)
