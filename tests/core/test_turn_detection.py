"""What a session config says about the server's own initiative."""

from __future__ import annotations

from typing import Any

import pytest

from couchvoice.core.turn_detection import TurnDetection, read_turn_detection, reduces_noise


def ga(detection: object) -> dict[str, Any]:
    return {"audio": {"input": {"turn_detection": detection}}}


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        (ga({"type": "server_vad"}), TurnDetection(interrupts=True, answers=True)),
        (
            ga({"type": "semantic_vad", "interrupt_response": False}),
            TurnDetection(interrupts=False, answers=True, judges_meaning=True),
        ),
        (ga({"type": "server_vad", "create_response": False}), TurnDetection(interrupts=True, answers=False)),
        (ga(None), TurnDetection(detects=False, interrupts=False, answers=False)),
        ({"turn_detection": None}, TurnDetection(detects=False, interrupts=False, answers=False)),
        ({"turn_detection": {"create_response": False}, "audio": {}}, TurnDetection(interrupts=True, answers=False)),
    ],
)
def test_it_is_read_where_ga_and_beta_servers_have_it(config: dict[str, Any], expected: TurnDetection) -> None:
    assert read_turn_detection(config) == expected


@pytest.mark.parametrize("config", [{}, {"audio": None}, {"audio": []}, {"audio": {"input": None}}, {"audio": {}}])
def test_a_config_that_is_silent_about_it_changes_nothing(config: dict[str, Any]) -> None:
    assert read_turn_detection(config) is None


def test_noise_reduction_is_what_the_config_asks_for_and_null_is_none() -> None:
    assert reduces_noise({"audio": {"input": {"noise_reduction": {"type": "near_field"}}}})
    for config in ({}, {"audio": None}, {"audio": {"input": {"noise_reduction": None}}}):
        assert not reduces_noise(config)
