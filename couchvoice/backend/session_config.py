"""The session config (GA shape) that a secret is bound to.

Not the instructions' wording, not the tools themselves. Law: it is complete; the client adds nothing to it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from couchvoice.backend.language import chosen_language, primary_code
from couchvoice.backend.refusals import Refused
from couchvoice.backend.turn_detection import turn_detection
from couchvoice.contract import VOICES, SessionRequest
from couchvoice.session_settings import SessionSettings

NO_TRANSCRIPTION = "none"
NO_NOISE_REDUCTION = "none"
NOISE_REDUCTIONS = ("near_field", "far_field", NO_NOISE_REDUCTION)


def session_config(
    settings: SessionSettings,
    request: SessionRequest,
    *,
    language: str | None,
    mode: Mapping[str, Any],
    voice: str | None = None,
    model: str | None = None,
) -> dict[str, Any]:
    """``mode`` is the mode's part, with its ``voice``; ``model``: the provider's only one, in place of the settings'.

    Refused with 422 when the voice is not one of the ten.
    """
    asked = request.assistant_voice
    voice = supported_voice(asked) if asked is not None else voice or settings.voice
    return {
        "type": "realtime",
        "model": model or settings.model,
        "audio": {
            "input": {
                "transcription": _transcription(settings, language),
                "turn_detection": turn_detection(
                    settings, sensitivity=request.vad_sensitivity, silence_duration_ms=request.silence_duration_ms
                ),
                **_noise_reduction(settings),
            },
            "output": {"voice": voice, **_speed(settings)},
        },
        "tool_choice": "auto",
        **mode,
    }


def bare_config(
    settings: SessionSettings,
    *,
    model: str | None = None,
    voice: str | None = None,
    modalities: Sequence[str] | None = None,
) -> dict[str, Any]:
    """A session without instructions and tools. Refused with 422 for a voice or modalities that nobody has."""
    if modalities is not None and not set(modalities) <= {"audio", "text"}:
        raise Refused(
            HTTPStatus.UNPROCESSABLE_ENTITY,
            "unsupported_modalities",
            "modalities may hold audio and text, nothing else",
        )
    return {
        "type": "realtime",
        "model": model or settings.model,
        # GA takes one of them; where the beta had both, sound came with its text, as it does now with audio alone.
        "output_modalities": ["text"] if modalities is not None and "audio" not in modalities else ["audio"],
        "audio": {
            "input": {
                "transcription": _transcription(settings, chosen_language(None, settings.language)),
                "turn_detection": turn_detection(settings),
            },
            "output": {"voice": settings.voice if voice is None else supported_voice(voice), **_speed(settings)},
        },
    }


def supported_voice(voice: str) -> str:
    """The voice. Refused with 422 when it is not one of the ten."""
    if voice not in VOICES:
        raise Refused(
            HTTPStatus.UNPROCESSABLE_ENTITY,
            "unsupported_voice",
            f"unsupported voice: choose one of {', '.join(VOICES)}",
        )
    return voice


def _noise_reduction(settings: SessionSettings) -> dict[str, dict[str, str] | None]:
    """Nothing unless somebody asked: then the provider does as it always does."""
    if settings.noise_reduction is None:
        return {}
    off = settings.noise_reduction == NO_NOISE_REDUCTION
    return {"noise_reduction": None if off else {"type": settings.noise_reduction}}


def _speed(settings: SessionSettings) -> dict[str, float]:
    """Not every server knows it."""
    return {} if settings.speed is None else {"speed": settings.speed}


def _transcription(settings: SessionSettings, language: str | None) -> dict[str, str] | None:
    if settings.transcription_model == NO_TRANSCRIPTION:
        return None
    spoken = {"language": primary_code(language)} if language else {}
    return {"model": settings.transcription_model, **spoken}
