"""The session object of the Realtime API: what it is unless told otherwise, and how an update is merged.

Law: a partial update changes what it names and nothing else; null clears what may be cleared; an update that would
leave no valid session leaves everything as it was.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

import msgspec

from couchvoice.local.protocol.bad_event import BadEvent, checked
from couchvoice.local.protocol.session_shape import MAX_TOKENS, ResponseShape, SessionShape, TranscriptionShape

MAX_SESSION = 200 * 1024  # bytes of JSON; the event that shows it must fit the data channel
DEFAULT_MODEL = "gpt-realtime-2.1"
DEFAULT_TRANSCRIPTION_MODEL = "gpt-transcribe"

SERVER_VAD: dict[str, Any] = {
    "type": "server_vad",
    "threshold": 0.5,
    "prefix_padding_ms": 300,
    "silence_duration_ms": 500,
    "create_response": True,
    "interrupt_response": True,
    "idle_timeout_ms": None,
}
# Semantic VAD here has no ear for meaning: the less eager it is to answer, the longer it waits in silence.
SEMANTIC_SILENCE_MS = {"high": 400, "medium": 700, "auto": 700, "low": 1200}
_SEMANTIC_VAD: dict[str, Any] = {
    "type": "semantic_vad",
    "eagerness": "auto",
    "create_response": True,
    "interrupt_response": True,
}
_DETECTIONS = {detection["type"]: detection for detection in (SERVER_VAD, _SEMANTIC_VAD)}
_PCM = {"type": "audio/pcm", "rate": 24000}
_INPUT: dict[str, Any] = {
    "format": _PCM,
    "transcription": None,
    "noise_reduction": None,
    "turn_detection": SERVER_VAD,
}
_REALTIME: dict[str, Any] = {
    "type": "realtime",
    "object": "realtime.session",
    "model": DEFAULT_MODEL,
    "output_modalities": ["audio"],
    "instructions": "",
    "tools": [],
    "tool_choice": "auto",
    "max_output_tokens": "inf",
    "audio": {
        "input": _INPUT,
        "output": {"format": _PCM, "voice": "marin", "speed": 1.0},
    },
}
_TRANSCRIPTION: dict[str, Any] = {
    "type": "transcription",
    "object": "realtime.transcription_session",
    "audio": {"input": _INPUT | {"transcription": {"model": DEFAULT_TRANSCRIPTION_MODEL}}},
}
_KINDS = {
    kind["type"]: (kind, shape) for kind, shape in ((_REALTIME, SessionShape), (_TRANSCRIPTION, TranscriptionShape))
}
_FIXED = frozenset({"id", "object", "expires_at", "model"})
_NOT_OF_A_SESSION = frozenset({"conversation", "metadata", "input"})  # in the options of a response
# An update of these names all of the new value.
_REPLACED = frozenset({"tool_choice", "transcription", "noise_reduction", "tracing", "prompt", "truncation", "voice"})


class SessionObject:
    """``config`` is what the client secret was minted with. Raises BadEvent when it is no valid one."""

    def __init__(self, session_id: str, config: Mapping[str, Any], expires_at: float) -> None:
        defaults, self._shape = _kind_of(config)
        fixed = {"id": session_id, "object": defaults["object"], "expires_at": int(expires_at)}
        self._config = _valid(merged(defaults, config) | fixed, self._shape)

    def update(self, change: Mapping[str, Any], *, keep_voice: bool = False) -> None:
        """Raises BadEvent, and then nothing has changed. The type of a session stays what it is.

        ``keep_voice``: it has been heard, and cannot be another one any more.
        """
        fixed = {name: value for name, value in self._config.items() if name in _FIXED}
        updated = _valid(merged(self._config, change) | fixed, self._shape)
        if keep_voice and updated["audio"].get("output", {}).get("voice") != self._config["audio"]["output"]["voice"]:
            message = "Cannot update a conversation's voice if assistant audio is present."
            raise BadEvent("cannot_update_voice", message, "session.audio.output.voice")
        self._config = updated

    def for_response(self, options: Mapping[str, Any]) -> SessionObject:
        """The session as one response sees it that was asked for with these options. Raises BadEvent."""
        checked(options, ResponseShape, param="response")
        own = {name: value for name, value in options.items() if name not in _NOT_OF_A_SESSION and value is not None}
        seen = copy.copy(self)
        seen.update(own)
        return seen

    @property
    def responds(self) -> bool:
        """False: it is a transcription session, which only listens."""
        return self._shape is SessionShape

    def as_dict(self) -> dict[str, Any]:
        return copy.deepcopy(self._config)

    @property
    def turn_detection(self) -> Mapping[str, Any] | None:
        """None: the client commits and asks for answers itself."""
        detection: Mapping[str, Any] | None = self._config["audio"]["input"].get("turn_detection")
        if detection is None:
            return None
        if "eagerness" in detection:
            return SERVER_VAD | {"silence_duration_ms": SEMANTIC_SILENCE_MS[detection["eagerness"]]} | dict(detection)
        return SERVER_VAD | dict(detection)

    @property
    def transcribes(self) -> bool:
        return self._config["audio"]["input"].get("transcription") is not None

    @property
    def input_format(self) -> str:
        """What the client appends."""
        return str(self._config["audio"]["input"]["format"]["type"])

    @property
    def output_format(self) -> str:
        """What the client is sent."""
        return str(self._config["audio"]["output"]["format"]["type"])

    @property
    def output_audio(self) -> dict[str, Any]:
        """Format and voice, as a response shows them."""
        return {"format": dict(self._config["audio"]["output"]["format"]), "voice": self.voice}

    @property
    def modalities(self) -> list[str]:
        return list(self._config["output_modalities"])

    @property
    def speaks(self) -> bool:
        return "audio" in self._config["output_modalities"]

    @property
    def voice(self) -> str:
        voice = self._config["audio"]["output"]["voice"]
        return str(voice["id"] if isinstance(voice, dict) else voice)

    @property
    def speed(self) -> float:
        return float(self._config["audio"]["output"]["speed"])

    @property
    def max_output_tokens(self) -> int | str:
        """A number, or "inf"."""
        limit: int | str = self._config["max_output_tokens"]
        return limit

    @property
    def token_limit(self) -> int:
        return MAX_TOKENS if isinstance(self.max_output_tokens, str) else self.max_output_tokens

    @property
    def instructions(self) -> str:
        return str(self._config["instructions"])

    @property
    def language(self) -> str | None:
        """In which the user speaks, and is answered, if that was said (ISO 639-1)."""
        transcription = self._config["audio"]["input"].get("transcription") or {}
        languages = transcription.get("languages") or [transcription.get("language")]
        return str(languages[0]) if languages[0] else None

    @property
    def tools_on_offer(self) -> tuple[Mapping[str, Any], ...]:
        """Those that may be called."""
        choice = self._config["tool_choice"]
        tools = self._config["tools"] if choice != "none" else ()
        return tuple(copy.deepcopy(tool) for tool in tools)

    @property
    def calls_in_parallel(self) -> bool:
        return self._config.get("parallel_tool_calls") is not False

    @property
    def must_call(self) -> str | None:
        """The tool that has to be called; "": one of them, None: none has to."""
        match self._config["tool_choice"]:
            case {"name": str(name)}:
                return name
            case "required" if self._config["tools"]:
                return ""
            case _:
                return None


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
    """A turn detection or a format of another type begins from its own defaults."""
    return name not in _REPLACED and change.get("type", present.get("type")) == present.get("type")


def _kind_of(config: Mapping[str, Any]) -> tuple[dict[str, Any], type[SessionShape] | type[TranscriptionShape]]:
    kind = config.get("type")
    return _KINDS.get(kind if isinstance(kind, str) else "", (_REALTIME, SessionShape))


def _valid(config: dict[str, Any], shape: type[SessionShape] | type[TranscriptionShape]) -> dict[str, Any]:
    """The config, complete. Raises BadEvent."""
    checked(config, shape, param="session")
    detection = config["audio"]["input"].get("turn_detection")
    for side in config["audio"].values():
        if side["format"]["type"] == _PCM["type"]:
            side["format"] = dict(_PCM)
    if detection is not None:
        config["audio"]["input"]["turn_detection"] = _DETECTIONS[detection["type"]] | detection
    if len(msgspec.json.encode(config)) > MAX_SESSION:
        raise BadEvent("invalid_value", f"The session is larger than {MAX_SESSION // 1024} KiB.", "session")
    return config
