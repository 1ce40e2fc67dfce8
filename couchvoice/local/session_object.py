"""The session object of the Realtime API: what it is unless told otherwise, and how an update is merged.

Law: a partial update changes what it names and nothing else; null clears what may be cleared.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

SESSION_LIMIT = 3600  # seconds; OpenAI: "maximum duration of 60 minutes"
DEFAULT_MODEL = "gpt-realtime-2.1"

SERVER_VAD: dict[str, Any] = {
    "type": "server_vad",
    "threshold": 0.5,
    "prefix_padding_ms": 300,
    "silence_duration_ms": 500,
    "create_response": True,
    "interrupt_response": True,
    "idle_timeout_ms": None,
}
_DEFAULTS: dict[str, Any] = {
    "type": "realtime",
    "object": "realtime.session",
    "model": DEFAULT_MODEL,
    "output_modalities": ["audio"],
    "instructions": "",
    "tools": [],
    "tool_choice": "auto",
    "max_output_tokens": "inf",
    "audio": {
        "input": {
            "format": {"type": "audio/pcm", "rate": 24000},
            "transcription": None,
            "noise_reduction": None,
            "turn_detection": SERVER_VAD,
        },
        "output": {"format": {"type": "audio/pcm", "rate": 24000}, "voice": "marin", "speed": 1.0},
    },
}
# A detection of another type is no update of the present one: it begins from its own defaults.
_REPLACED = frozenset({"tools", "tool_choice", "transcription", "noise_reduction", "tracing", "prompt"})


class SessionObject:
    """``config`` is what the client secret was minted with."""

    def __init__(self, session_id: str, config: Mapping[str, Any], expires_at: float) -> None:
        self._config = merged(_DEFAULTS, config) | {"id": session_id, "expires_at": int(expires_at)}

    def update(self, change: Mapping[str, Any]) -> None:
        fixed = {name: self._config[name] for name in ("id", "object", "expires_at", "model")}
        self._config = merged(self._config, change) | fixed

    def as_dict(self) -> dict[str, Any]:
        return copy.deepcopy(self._config)

    @property
    def turn_detection(self) -> Mapping[str, Any] | None:
        """None: the client commits and asks for answers itself."""
        detection = self._audio("input").get("turn_detection")
        return SERVER_VAD | detection if isinstance(detection, dict) else None

    @property
    def transcribes(self) -> bool:
        return isinstance(self._audio("input").get("transcription"), dict)

    @property
    def modalities(self) -> list[str]:
        return list(self._config["output_modalities"])

    @property
    def voice(self) -> str:
        return str(self._audio("output").get("voice"))

    @property
    def speed(self) -> float:
        speed = self._audio("output").get("speed")
        return float(speed) if isinstance(speed, int | float) else 1.0

    @property
    def tool_names(self) -> frozenset[str]:
        if self._config["tool_choice"] == "none":
            return frozenset()
        tools = self._config["tools"] if isinstance(self._config["tools"], list) else []
        return frozenset(str(tool.get("name")) for tool in tools if isinstance(tool, dict))

    def _audio(self, side: str) -> Mapping[str, Any]:
        audio = self._config.get("audio")
        settings = audio.get(side) if isinstance(audio, dict) else None
        return settings if isinstance(settings, dict) else {}


def merged(base: Mapping[str, Any], change: Mapping[str, Any]) -> dict[str, Any]:
    """A copy of ``base`` with ``change`` laid over it, level by level."""
    result = copy.deepcopy(dict(base))
    for name, value in change.items():
        present = result.get(name)
        if isinstance(present, dict) and isinstance(value, Mapping) and _same_kind(name, present, value):
            result[name] = merged(present, value)
        else:
            result[name] = copy.deepcopy(value)
    return result


def _same_kind(name: str, present: Mapping[str, Any], change: Mapping[str, Any]) -> bool:
    return name not in _REPLACED and change.get("type", present.get("type")) == present.get("type")
