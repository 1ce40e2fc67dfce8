"""Whether the provider is to tell what the user says. Field names are OpenAI's (session config)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def tells_words(session: Mapping[str, Any]) -> bool | None:
    """False: no transcript of the user will come. None: the config does not speak of it."""
    audio = session.get("audio")
    settings = audio.get("input") if isinstance(audio, Mapping) else None
    # Beta servers have it at the top level of the session.
    for place, name in ((settings, "transcription"), (session, "input_audio_transcription")):
        if isinstance(place, Mapping) and name in place:
            return place[name] is not None
    return None
