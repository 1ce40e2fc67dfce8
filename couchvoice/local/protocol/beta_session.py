"""The session object as the beta protocol had it: flat, where GA nests what belongs to the sound.

Not what a session may be: whatever stands in no table here passes as it is, and is judged as a GA session. Law: only
copies are changed; what a client sends may be anything.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

# Where GA has what beta has at the top, in a session, in a response and in the options of one.
_PLACES: Mapping[str, tuple[str, ...]] = {
    "modalities": ("output_modalities",),
    "max_response_output_tokens": ("max_output_tokens",),
    "input_audio_format": ("audio", "input", "format"),
    "input_audio_transcription": ("audio", "input", "transcription"),
    "input_audio_noise_reduction": ("audio", "input", "noise_reduction"),
    "turn_detection": ("audio", "input", "turn_detection"),
    "output_audio_format": ("audio", "output", "format"),
    "voice": ("audio", "output", "voice"),
    "speed": ("audio", "output", "speed"),
}
_FORMATS = {"pcm16": "audio/pcm", "g711_ulaw": "audio/pcmu", "g711_alaw": "audio/pcma"}
_RATES = {"audio/pcm": 24000}  # samples per second; the formats of telephones have one rate only
_BETA_FORMATS = {ga: beta for beta, ga in _FORMATS.items()}
_GA_ONLY = frozenset({"type", "audio"} | {path[0] for path in _PLACES.values()})
_BETA_ONLY = frozenset({"temperature", "client_secret"})  # GA has no such setting, or has it elsewhere
_ABSENT = object()


def flattened(session: Mapping[str, Any]) -> dict[str, Any]:
    """A GA session as beta shows it."""
    flat = {name: value for name, value in session.items() if name not in _GA_ONLY}
    for name, path in _PLACES.items():
        value = _at(session, path)
        if value is not _ABSENT:
            flat[name] = _beta_value(name, value)
    return flat


def nested(session: Mapping[str, Any]) -> dict[str, Any]:
    """A beta session as GA has it; a GA session as it is."""
    deep: dict[str, Any] = {}
    for name, value in session.items():
        if name in _PLACES:
            _put(deep, _PLACES[name], _ga_value(name, value))
        elif name not in _BETA_ONLY:
            deep[name] = value
    return deep


def _at(session: object, path: tuple[str, ...]) -> Any:
    for name in path:
        if not isinstance(session, Mapping) or name not in session:
            return _ABSENT
        session = session[name]
    return session


def _put(session: dict[str, Any], path: tuple[str, ...], value: object) -> None:
    """The mappings on the way are new, or copies."""
    *way, last = path
    for name in way:
        present = session.get(name)
        session[name] = dict(present) if isinstance(present, Mapping) else {}
        session = session[name]
    session[last] = value


def _beta_value(name: str, value: Any) -> Any:
    match name:
        case "modalities":
            # Beta could not speak without writing, too.
            return ["audio", "text"] if value == ["audio"] else value
        case "input_audio_format" | "output_audio_format":
            return _BETA_FORMATS.get(value["type"], value)
        case "turn_detection" if value is not None:
            return {setting: chosen for setting, chosen in value.items() if setting != "idle_timeout_ms"}
        case _:
            return value


def _ga_value(name: str, value: Any) -> Any:
    match name, value:
        case "modalities", list() if "audio" in value:
            return ["audio"]
        case (("input_audio_format" | "output_audio_format"), str()) if value in _FORMATS:
            kind = _FORMATS[value]
            return {"type": kind} | ({"rate": _RATES[kind]} if kind in _RATES else {})
        case _:
            return value
