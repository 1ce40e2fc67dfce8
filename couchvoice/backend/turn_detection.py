"""Turn detection (GA shape): what the provider is to do by itself when somebody speaks.

Not the detector. What belongs to another kind of detection is left out, so that one setting can be changed for one
run. Law: pure; the settings were checked before.
"""

from __future__ import annotations

from typing import Any

from couchvoice.session_settings import SessionSettings

KINDS = ("server_vad", "semantic_vad", "none")
EAGERNESS = ("auto", "low", "medium", "high")
DEFAULT_THRESHOLD = 0.5

MAX_SENSITIVITY = 100

# The threshold at no and at full sensitivity.
_DEAF = 0.9
_KEEN = 0.1
_DECIMALS = 3  # of a threshold


def turn_detection(
    settings: SessionSettings, *, sensitivity: int | None = None, silence_duration_ms: int | None = None
) -> dict[str, Any] | None:
    """None: the client commits what was said. What a request asks for goes before the settings."""
    responses = {
        "create_response": settings.create_response,
        "interrupt_response": settings.interrupt_response,
    }
    match settings.turn_detection:
        case "none":
            return None
        case "semantic_vad":
            return {"type": "semantic_vad", "eagerness": settings.eagerness, **responses}
        case _:
            silence = settings.silence_duration_ms if silence_duration_ms is None else silence_duration_ms
            idle = {} if settings.idle_timeout_ms is None else {"idle_timeout_ms": settings.idle_timeout_ms}
            return {
                "type": "server_vad",
                "threshold": _threshold(settings, sensitivity),
                "prefix_padding_ms": settings.prefix_padding_ms,
                "silence_duration_ms": silence,
                **responses,
                **idle,
            }


def threshold_for(sensitivity: int) -> float:
    """0.9 for 0, 0.1 for 100."""
    return round(_DEAF - (_DEAF - _KEEN) * sensitivity / MAX_SENSITIVITY, _DECIMALS)


def _threshold(settings: SessionSettings, asked: int | None) -> float:
    if asked is not None:
        return threshold_for(asked)
    if settings.vad_sensitivity is not None:
        return threshold_for(settings.vad_sensitivity)
    return DEFAULT_THRESHOLD if settings.vad_threshold is None else settings.vad_threshold
