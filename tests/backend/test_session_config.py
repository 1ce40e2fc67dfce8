"""The session config from the settings and the request, judged by those who must take it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from openai.types.realtime import RealtimeSessionCreateRequest
from pydantic import BaseModel

from couchvoice.local.protocol.session_object import SessionObject
from couchvoice.session_settings import SessionSettings
from tests.backend.ends import running_backend


async def config_of(data: Path, settings: dict[str, Any], **request: Any) -> dict[str, Any]:
    """The config that reaches the provider; the client is told the same."""
    async with running_backend(data, session=SessionSettings(**settings)) as backend:
        reply = (await backend.session(**request)).json()
        asked: dict[str, Any] = backend.provider.requests[0][1]["session"]
        assert reply["session_config"] == asked
        return asked


def unknown_to(model: BaseModel) -> list[str]:
    """The fields that openai's types do not have."""
    children = [value for _, value in model if isinstance(value, BaseModel)]
    return [*(model.model_extra or {}), *(name for child in children for name in unknown_to(child))]


@pytest.mark.row("D2", "D4", "D11")
@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"vad_threshold": 0.0, "prefix_padding_ms": 0, "silence_duration_ms": 10_000, "idle_timeout_ms": 5_000},
        {"vad_sensitivity": 100, "prefix_padding_ms": 10_000, "silence_duration_ms": 0, "idle_timeout_ms": 30_000},
        {"create_response": False, "interrupt_response": False, "speed": 0.25},
        {"turn_detection": "semantic_vad", "eagerness": "low", "speed": 1.5},
        {"turn_detection": "none", "noise_reduction": "far_field"},
        {"noise_reduction": "none"},
        {"transcription_model": "none", "language": "de"},
        {"model": "gpt-realtime", "voice": "ash", "speed": 1.25, "language": "de-CH"},
    ],
    ids=str,
)
async def test_the_local_server_and_openais_types_take_the_config_as_it_is(
    tmp_path: Path, settings: dict[str, Any]
) -> None:
    config = await config_of(tmp_path / "state", settings, memory_mode="persistent")
    taken = SessionObject("sess_x", config, 0.0).as_dict()
    for name, value in config["audio"]["input"].items():
        assert value is taken["audio"]["input"][name] is None or value.items() <= taken["audio"]["input"][name].items()
    assert config["audio"]["output"].items() <= taken["audio"]["output"].items()
    judged = RealtimeSessionCreateRequest.model_validate(config, strict=True)
    assert unknown_to(judged) == []
    assert judged.model_dump(exclude_unset=True) == config


@pytest.mark.row("D1", "D4")
async def test_model_and_voice_and_transcription_are_those_of_the_settings(tmp_path: Path) -> None:
    settings = {"model": "m-1", "voice": "cedar", "transcription_model": "t-1"}
    config = await config_of(tmp_path / "state", settings)
    assert config["model"] == "m-1"
    assert config["audio"]["input"]["transcription"] == {"model": "t-1"}
    assert config["audio"]["output"] == {"voice": "cedar"}


@pytest.mark.row("D1")
async def test_the_voice_of_the_request_goes_before_the_setting(tmp_path: Path) -> None:
    config = await config_of(tmp_path / "state", {"voice": "cedar"}, assistant_voice="sage")
    assert config["audio"]["output"]["voice"] == "sage"


@pytest.mark.row("D4")
async def test_transcription_can_be_off(tmp_path: Path) -> None:
    config = await config_of(tmp_path / "state", {"transcription_model": "none"})
    assert config["audio"]["input"]["transcription"] is None


@pytest.mark.row("D2")
async def test_a_request_brings_its_own_sensitivity_and_silence(tmp_path: Path) -> None:
    config = await config_of(tmp_path / "state", {"vad_threshold": 0.8}, vad_sensitivity=0, silence_duration_ms=800)
    detection = config["audio"]["input"]["turn_detection"]
    assert (detection["threshold"], detection["silence_duration_ms"]) == (0.9, 800)


@pytest.mark.row("D13")
@pytest.mark.parametrize(
    ("setting", "request_language", "code", "name"),
    [
        ("de", None, "de", "German"),
        ("auto", "fr", "fr", "French"),
        ("de", "pt-BR", "pt", "Portuguese (pt-BR)"),
        ("auto", "ZH-Hant", "zh", "Chinese (ZH-Hant)"),
        ("auto", "tlh", "tlh", "the language with the code tlh"),
    ],
)
async def test_a_language_is_transcribed_and_spoken(
    tmp_path: Path, setting: str, request_language: str | None, code: str, name: str
) -> None:
    config = await config_of(tmp_path / "state", {"language": setting}, language=request_language)
    assert config["audio"]["input"]["transcription"] == {"model": "gpt-transcribe", "language": code}
    assert f"# Language\nSpeak {name}, " in config["instructions"]
    headings = re.findall(r"^# (.+)$", config["instructions"], re.MULTILINE)
    assert headings[headings.index("Brevity") + 1] == "Language"


@pytest.mark.row("D13")
@pytest.mark.parametrize(("setting", "request_language"), [("auto", None), ("de", "auto"), ("auto", "auto")])
async def test_without_a_language_nothing_is_said_of_one(
    tmp_path: Path, setting: str, request_language: str | None
) -> None:
    config = await config_of(tmp_path / "state", {"language": setting}, language=request_language)
    assert config["audio"]["input"]["transcription"] == {"model": "gpt-transcribe"}
    assert "# Language" not in config["instructions"]


@pytest.mark.row("B7")
@pytest.mark.parametrize(
    ("setting", "asked"),
    [
        ("near_field", {"noise_reduction": {"type": "near_field"}}),
        ("far_field", {"noise_reduction": {"type": "far_field"}}),
        ("none", {"noise_reduction": None}),
        (None, {}),
    ],
)
async def test_noise_reduction_is_asked_of_the_provider_as_it_is_set(
    tmp_path: Path, setting: str | None, asked: dict[str, Any]
) -> None:
    config = await config_of(tmp_path / "state", {"noise_reduction": setting})
    audio_input = config["audio"]["input"]
    assert {name: value for name, value in audio_input.items() if name == "noise_reduction"} == asked
