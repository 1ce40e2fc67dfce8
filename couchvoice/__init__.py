"""couchvoice: a Python-native WebRTC peer for realtime voice.

The public names are loaded on first use, so that ``import couchvoice`` costs nothing and loads no aiortc, av or numpy.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from couchvoice.client.voice_session import VoiceSession
    from couchvoice.core.notices import (
        AssistantTranscript,
        Interrupted,
        Problem,
        StateChanged,
        ToolActivity,
        TurnRecorded,
        UserTranscript,
    )
    from couchvoice.core.state import SessionState
    from couchvoice.errors import CouchvoiceError

__version__ = "0.1.0"
__all__ = [
    "AssistantTranscript",
    "CouchvoiceError",
    "Interrupted",
    "Problem",
    "SessionState",
    "StateChanged",
    "ToolActivity",
    "TurnRecorded",
    "UserTranscript",
    "VoiceSession",
]

_HOMES = {
    "CouchvoiceError": "couchvoice.errors",
    "SessionState": "couchvoice.core.state",
    "VoiceSession": "couchvoice.client.voice_session",
}
_DEFAULT_HOME = "couchvoice.core.notices"


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module(_HOMES.get(name, _DEFAULT_HOME)), name)
