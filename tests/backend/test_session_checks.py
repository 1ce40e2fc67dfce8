"""Settings that no provider takes: refused before the backend serves, by name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from couchvoice.backend.session_checks import check_session_settings
from couchvoice.errors import ConfigError
from couchvoice.session_settings import SessionSettings
from tests.backend.ends import running_backend

# Each with what is just outside, and the ends of what is allowed.
RANGES = [
    ("vad_threshold", (-0.01, 1.01, float("nan")), (0.0, 1.0)),
    ("vad_sensitivity", (-1, 101), (0, 100)),
    ("prefix_padding_ms", (-1, 10_001), (0, 10_000)),
    ("silence_duration_ms", (-1, 10_001), (0, 10_000)),
    ("idle_timeout_ms", (4_999, 30_001), (5_000, 30_000)),
    ("secret_lifetime", (9, 7_201), (10, 7_200)),
    ("speed", (0.24, 1.51, float("inf")), (0.25, 1.5)),
]


@pytest.mark.row("D2")
@pytest.mark.parametrize(("name", "outside", "ends"), RANGES)
def test_a_number_out_of_its_range_is_refused_with_the_range(
    name: str, outside: tuple[float, ...], ends: tuple[float, float]
) -> None:
    for value in ends:
        check_session_settings(SessionSettings(**{name: value}))
    for value in outside:
        with pytest.raises(ConfigError) as refused:
            check_session_settings(SessionSettings(**{name: value}))
        assert str(refused.value) == f"{name} is {value:g}: choose a number from {ends[0]:g} to {ends[1]:g}"


@pytest.mark.row("D1", "D2", "D13")
@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"turn_detection": "off"}, 'turn_detection is "off": choose one of server_vad, semantic_vad, none'),
        ({"eagerness": "keen"}, 'eagerness is "keen": choose one of auto, low, medium, high'),
        ({"voice": "nova"}, 'voice is "nova": choose one of alloy, ash, '),
        ({"language": "German"}, 'language is "German": give a code such as en, de or pt-BR, or auto'),
        ({"model": " "}, "model is empty"),
        ({"transcription_model": ""}, "transcription_model is empty"),
        ({"vad_threshold": 0.5, "vad_sensitivity": 50}, "vad_threshold and vad_sensitivity set the same thing"),
    ],
    ids=str,
)
def test_a_setting_that_means_nothing_is_refused_with_what_it_may_be(settings: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ConfigError) as refused:
        check_session_settings(SessionSettings(**settings))
    assert str(refused.value).startswith(sentence)


async def test_a_backend_does_not_begin_with_such_settings(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="speed is 9"):
        async with running_backend(tmp_path / "state", session=SessionSettings(speed=9)):
            pass
