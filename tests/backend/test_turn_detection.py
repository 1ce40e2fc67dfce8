"""The turn detection that the provider is asked for, from the settings and the request."""

from __future__ import annotations

from typing import Any

import pytest

from couchvoice.backend.turn_detection import threshold_for, turn_detection
from couchvoice.session_settings import SessionSettings

BOTH = {"create_response": True, "interrupt_response": True}
SERVER_VAD = {
    "type": "server_vad",
    "threshold": 0.5,
    "prefix_padding_ms": 300,
    "silence_duration_ms": 500,
    **BOTH,
}


@pytest.mark.row("D2", "D3", "D11")
@pytest.mark.parametrize(
    ("settings", "wanted"),
    [
        ({}, SERVER_VAD),
        ({"vad_threshold": 0.0}, SERVER_VAD | {"threshold": 0.0}),
        ({"vad_sensitivity": 100}, SERVER_VAD | {"threshold": 0.1}),
        ({"prefix_padding_ms": 0}, SERVER_VAD | {"prefix_padding_ms": 0}),
        ({"silence_duration_ms": 900}, SERVER_VAD | {"silence_duration_ms": 900}),
        ({"idle_timeout_ms": 6000}, SERVER_VAD | {"idle_timeout_ms": 6000}),
        ({"create_response": False}, SERVER_VAD | {"create_response": False}),
        ({"interrupt_response": False}, SERVER_VAD | {"interrupt_response": False}),
        ({"eagerness": "high"}, SERVER_VAD),
        ({"turn_detection": "semantic_vad"}, {"type": "semantic_vad", "eagerness": "auto", **BOTH}),
        (
            {"turn_detection": "semantic_vad", "eagerness": "low", "vad_threshold": 0.7, "create_response": False},
            {"type": "semantic_vad", "eagerness": "low", **BOTH, "create_response": False},
        ),
        ({"turn_detection": "none", "vad_sensitivity": 5}, None),
    ],
    ids=str,
)
def test_the_settings_make_the_object_of_their_kind(settings: dict[str, Any], wanted: dict[str, Any] | None) -> None:
    assert turn_detection(SessionSettings(**settings)) == wanted


@pytest.mark.row("D2")
@pytest.mark.parametrize(
    ("sensitivity", "threshold"), [(0, 0.9), (1, 0.892), (25, 0.7), (50, 0.5), (90, 0.18), (100, 0.1)]
)
def test_the_keener_the_lower_the_threshold(sensitivity: int, threshold: float) -> None:
    assert threshold_for(sensitivity) == threshold


@pytest.mark.row("D2")
@pytest.mark.parametrize("settings", [{}, {"vad_threshold": 0.8}, {"vad_sensitivity": 10}], ids=str)
def test_what_a_request_asks_for_goes_before_the_settings(settings: dict[str, Any]) -> None:
    asked = turn_detection(
        SessionSettings(**settings, silence_duration_ms=900), sensitivity=100, silence_duration_ms=200
    )
    assert asked == SERVER_VAD | {"threshold": 0.1, "silence_duration_ms": 200}


@pytest.mark.parametrize("kind", ["semantic_vad", "none"])
def test_a_request_does_not_change_the_kind(kind: str) -> None:
    settings = SessionSettings(turn_detection=kind)
    assert turn_detection(settings, sensitivity=100, silence_duration_ms=200) == turn_detection(settings)
