"""What a talk says of its sound before it begins."""

from __future__ import annotations

from typing import Any

import pytest

from couchvoice.apps.sound import hint_of_echo, hint_of_noise
from couchvoice.apps.talk_options import echo_policy_of
from couchvoice.audio.echo_policy import EchoPolicy
from couchvoice.errors import ConfigError
from couchvoice.settings import load_settings


def config(detection: str, reduction: str | None = None) -> dict[str, Any]:
    asked = {"noise_reduction": {"type": reduction}} if reduction else {}
    return {"audio": {"input": {"turn_detection": {"type": detection}, **asked}}}


@pytest.mark.row("B7")
def test_taking_noise_out_of_what_semantic_vad_hears_is_warned_of_whoever_does_it():
    assert "semantic_vad" in hint_of_noise(config("semantic_vad"), suppressed=True)
    assert "semantic_vad" in hint_of_noise(config("semantic_vad", "far_field"), suppressed=False)
    assert hint_of_noise(config("semantic_vad"), suppressed=False) is None
    assert hint_of_noise(config("server_vad", "near_field"), suppressed=True) is None
    assert hint_of_noise({}, suppressed=True) is None


def test_who_cannot_interrupt_by_voice_without_having_chosen_so_is_told():
    assert "--echo none with headphones" in hint_of_echo(EchoPolicy.AUTO, EchoPolicy.HALF_DUPLEX)
    assert hint_of_echo(EchoPolicy.AUTO, EchoPolicy.AEC) is None
    assert hint_of_echo(EchoPolicy.HALF_DUPLEX, EchoPolicy.HALF_DUPLEX) is None


def test_a_policy_from_the_environment_that_is_none_is_refused_by_name():
    assert echo_policy_of(load_settings(environ={"COUCHVOICE_ECHO": "duck"})) is EchoPolicy.DUCK
    with pytest.raises(
        ConfigError, match='COUCHVOICE_ECHO is "loud": choose one of auto, aec, duck, half-duplex, none'
    ):
        echo_policy_of(load_settings(environ={"COUCHVOICE_ECHO": "loud"}))
