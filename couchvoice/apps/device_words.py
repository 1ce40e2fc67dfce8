"""What is said of sound devices that come and go."""

from __future__ import annotations

from couchvoice.audio.permission import microphone_hint
from couchvoice.core.notices import DeviceChanged

_WORDS = {"input": "microphone", "output": "loudspeaker"}
_MEANWHILE = {"input": "silence is sent", "output": "answers are only shown"}


def sentence_of_device(change: DeviceChanged) -> str:
    word, meanwhile = _WORDS[change.kind], _MEANWHILE[change.kind]
    named = f'the {word} "{change.name}"'
    match change.status:
        case "missing":
            return f"{meanwhile} until there is a {word} ({change.detail})"
        case "lost":
            return f"{named} is gone: {meanwhile} until it is back"
        case "replaced":
            return f"{named} is used until then"
        case "restored":
            return f"{named} is used"
        case _:
            return f"{named} gives nothing but silence. Is it switched off, or not allowed? {microphone_hint()}"
