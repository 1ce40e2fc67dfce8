"""The session config (GA shape) that a secret is bound to.

Not the instructions' wording, not the tools themselves. Law: it is complete; the client adds nothing to it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from couchvoice.backend.refusals import Refused
from couchvoice.contract import VOICES

VAD_THRESHOLD = 0.5
VAD_PREFIX_PADDING = 300  # ms
VAD_SILENCE = 500  # ms


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionDefaults:
    """What a session gets unless its request says otherwise."""

    model: str = "gpt-realtime-2.1"
    transcription_model: str = "gpt-transcribe"
    voice: str = "marin"


def session_config(
    defaults: SessionDefaults, *, voice: str | None, instructions: str, tools: Sequence[dict[str, Any]]
) -> dict[str, Any]:
    """Refused with 422 when the voice is not one of the ten."""
    voice = defaults.voice if voice is None else voice
    if voice not in VOICES:
        raise Refused(
            HTTPStatus.UNPROCESSABLE_ENTITY,
            "unsupported_voice",
            f"unsupported voice: choose one of {', '.join(VOICES)}",
        )
    return {
        "type": "realtime",
        "model": defaults.model,
        "audio": {
            "input": {
                "transcription": {"model": defaults.transcription_model},
                "turn_detection": {
                    "type": "server_vad",
                    "threshold": VAD_THRESHOLD,
                    "prefix_padding_ms": VAD_PREFIX_PADDING,
                    "silence_duration_ms": VAD_SILENCE,
                    "create_response": True,
                    "interrupt_response": True,
                },
            },
            "output": {"voice": voice},
        },
        "tool_choice": "auto",
        "tools": list(tools),
        "instructions": instructions,
    }
