"""Whether the settings of the sessions can be asked of a provider.

Law: what cannot is refused before the backend serves, with the setting's name and what it may be.
"""

from __future__ import annotations

from collections.abc import Sequence

from couchvoice.backend.session_config import NOISE_REDUCTIONS
from couchvoice.backend.turn_detection import EAGERNESS, KINDS, MAX_SENSITIVITY
from couchvoice.contract import VOICES, is_language
from couchvoice.errors import ConfigError
from couchvoice.session_settings import SessionSettings

# OpenAI's where it names them; nobody waits longer than MAX_PAUSE to be answered.
THRESHOLD = (0.0, 1.0)
SENSITIVITY = (0, MAX_SENSITIVITY)
SPEED = (0.25, 1.5)
MAX_PAUSE = 10_000  # ms
IDLE_TIMEOUT = (5_000, 30_000)  # ms
SECRET_LIFETIME = (10, 7_200)  # seconds


def check_session_settings(settings: SessionSettings) -> None:
    """Raises ConfigError."""
    _check_range("vad_threshold", settings.vad_threshold, THRESHOLD)
    _check_range("vad_sensitivity", settings.vad_sensitivity, SENSITIVITY)
    _check_range("prefix_padding_ms", settings.prefix_padding_ms, (0, MAX_PAUSE))
    _check_range("silence_duration_ms", settings.silence_duration_ms, (0, MAX_PAUSE))
    _check_range("idle_timeout_ms", settings.idle_timeout_ms, IDLE_TIMEOUT)
    _check_range("speed", settings.speed, SPEED)
    _check_range("secret_lifetime", settings.secret_lifetime, SECRET_LIFETIME)
    _check_choice("turn_detection", settings.turn_detection, KINDS)
    _check_choice("eagerness", settings.eagerness, EAGERNESS)
    _check_choice("voice", settings.voice, VOICES)
    if settings.noise_reduction is not None:
        _check_choice("noise_reduction", settings.noise_reduction, NOISE_REDUCTIONS)
    if settings.vad_threshold is not None and settings.vad_sensitivity is not None:
        raise ConfigError("vad_threshold and vad_sensitivity set the same thing: leave one of them out")
    if not is_language(settings.language):
        raise ConfigError(f'language is "{settings.language}": give a code such as en, de or pt-BR, or auto')
    for name, model in (("model", settings.model), ("transcription_model", settings.transcription_model)):
        if not model.strip():
            raise ConfigError(f"{name} is empty: name a model, or leave it out")


def _check_range(name: str, value: float | None, allowed: tuple[float, float]) -> None:
    low, high = allowed
    if value is not None and not low <= value <= high:
        raise ConfigError(f"{name} is {value:g}: choose a number from {low:g} to {high:g}")


def _check_choice(name: str, value: str, allowed: Sequence[str]) -> None:
    if value not in allowed:
        raise ConfigError(f'{name} is "{value}": choose one of {", ".join(allowed)}')
