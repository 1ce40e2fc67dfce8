"""What a session may be, and a response's own settings: OpenAI's fields, types and ranges.

Not supported here, and refused: MCP tools. Law: what passes can be used without looking again; voices and models may
have any name.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

MAX_TOKENS = 4096

_Milliseconds = Annotated[int, Meta(ge=0, le=10_000)]
_Name = Annotated[str, Meta(min_length=1)]
_Modalities = Annotated[list[Literal["audio", "text"]], Meta(min_length=1, max_length=1)]
_TokenLimit = Literal["inf"] | Annotated[int, Meta(ge=1, le=MAX_TOKENS)]
_Key = Annotated[str, Meta(max_length=64)]
_Value = Annotated[str, Meta(max_length=512)]
_Metadata = Annotated[dict[_Key, _Value], Meta(max_length=16)]


class _Pcm(msgspec.Struct, forbid_unknown_fields=True, tag_field="type", tag="audio/pcm"):
    rate: Literal[24000] = 24000


class _Pcmu(msgspec.Struct, forbid_unknown_fields=True, tag_field="type", tag="audio/pcmu"):
    pass


class _Pcma(msgspec.Struct, forbid_unknown_fields=True, tag_field="type", tag="audio/pcma"):
    pass


_Format = _Pcm | _Pcmu | _Pcma


class _ServerVad(msgspec.Struct, forbid_unknown_fields=True, tag_field="type", tag="server_vad"):
    threshold: Annotated[float, Meta(ge=0, le=1)] = 0.5
    prefix_padding_ms: _Milliseconds = 300
    silence_duration_ms: _Milliseconds = 500
    create_response: bool = True
    interrupt_response: bool = True
    idle_timeout_ms: Annotated[int, Meta(ge=5_000, le=30_000)] | None = None


class _SemanticVad(msgspec.Struct, forbid_unknown_fields=True, tag_field="type", tag="semantic_vad"):
    eagerness: Literal["auto", "low", "medium", "high"] = "auto"
    create_response: bool = True
    interrupt_response: bool = True


class _Transcription(msgspec.Struct, forbid_unknown_fields=True):
    model: str | None = None
    language: str | None = None
    languages: list[str] | None = None
    prompt: str | None = None
    keywords: list[str] | None = None
    delay: Literal["minimal", "low", "medium", "high", "xhigh"] | None = None


class _NoiseReduction(msgspec.Struct, forbid_unknown_fields=True):
    type: Literal["near_field", "far_field"]
    strength: Annotated[float, Meta(ge=0)] | None = None


class _AudioInput(msgspec.Struct, forbid_unknown_fields=True):
    format: _Format
    transcription: _Transcription | None = None
    noise_reduction: _NoiseReduction | None = None
    turn_detection: _ServerVad | _SemanticVad | None = None


class _CustomVoice(msgspec.Struct):
    id: _Name


class _AudioOutput(msgspec.Struct, forbid_unknown_fields=True):
    format: _Format = msgspec.field(default_factory=_Pcm)
    voice: _Name | _CustomVoice = "marin"
    speed: Annotated[float, Meta(ge=0.25, le=1.5)] = 1.0


class _Audio(msgspec.Struct, forbid_unknown_fields=True):
    input: _AudioInput
    output: _AudioOutput


class _ResponseAudio(msgspec.Struct, forbid_unknown_fields=True):
    output: _AudioOutput = msgspec.field(default_factory=_AudioOutput)


class _FunctionTool(msgspec.Struct):
    type: Literal["function"]
    name: _Name
    description: str | None = None
    parameters: dict[str, Any] | None = None


class _ChosenFunction(msgspec.Struct):
    type: Literal["function"]
    name: _Name


_ToolChoice = Literal["auto", "none", "required"] | _ChosenFunction


class _Prompt(msgspec.Struct):
    id: _Name
    version: str | None = None
    variables: dict[str, str] | None = None


class _Reasoning(msgspec.Struct):
    effort: Literal["minimal", "low", "medium", "high", "xhigh"] | None = None


class _Tracing(msgspec.Struct):
    workflow_name: str | None = None
    group_id: str | None = None
    metadata: dict[str, Any] | None = None


class _TokenLimits(msgspec.Struct):
    post_instructions: Annotated[int, Meta(ge=0)] | None = None


class _RetentionRatio(msgspec.Struct, tag_field="type", tag="retention_ratio"):
    retention_ratio: Annotated[float, Meta(ge=0, le=1)]
    token_limits: _TokenLimits | None = None


class SessionShape(msgspec.Struct, forbid_unknown_fields=True):
    """A whole session, as it is shown: what an update has left of it must still be one."""

    id: str
    object: str
    expires_at: int
    type: Literal["realtime"]
    model: _Name
    audio: _Audio
    instructions: str
    output_modalities: _Modalities
    tools: list[_FunctionTool]
    tool_choice: _ToolChoice
    max_output_tokens: _TokenLimit
    parallel_tool_calls: bool | None = None
    include: list[Literal["item.input_audio_transcription.logprobs"]] | None = None
    prompt: _Prompt | None = None
    reasoning: _Reasoning | None = None
    tracing: Literal["auto"] | _Tracing | None = None
    truncation: Literal["auto", "disabled"] | _RetentionRatio | None = None


class _TranscriptionAudio(msgspec.Struct, forbid_unknown_fields=True):
    input: _AudioInput


class TranscriptionShape(msgspec.Struct, forbid_unknown_fields=True):
    """A whole session that only listens."""

    id: str
    object: str
    expires_at: int
    type: Literal["transcription"]
    audio: _TranscriptionAudio
    include: list[Literal["item.input_audio_transcription.logprobs"]] | None = None


class ResponseShape(msgspec.Struct, forbid_unknown_fields=True):
    """What ``response.create`` may ask for."""

    conversation: Literal["auto", "none"] | None = None
    input: list[dict[str, Any]] | None = None
    metadata: _Metadata | None = None
    audio: _ResponseAudio | None = None
    instructions: str | None = None
    output_modalities: _Modalities | None = None
    tools: list[_FunctionTool] | None = None
    tool_choice: _ToolChoice | None = None
    max_output_tokens: _TokenLimit | None = None
    parallel_tool_calls: bool | None = None
    prompt: _Prompt | None = None
    reasoning: _Reasoning | None = None
