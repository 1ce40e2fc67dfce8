"""What a person says of a talk goes with its end."""

from __future__ import annotations

import pytest

from couchvoice.errors import ConfigError, InvalidState
from tests.client.stage import talking


@pytest.mark.row("J8")
async def test_the_last_word_about_a_talk_goes_with_its_end():
    async with talking() as stage:
        stage.session.give_feedback("negative")
        stage.session.give_feedback("positive")
        with pytest.raises(ConfigError, match="choose one of positive, negative, skip"):
            stage.session.give_feedback("great")
        await stage.session.disconnect()
        (end,) = stage.backend.to("end")
        assert end["feedback"] == "positive"
        with pytest.raises(InvalidState):
            stage.session.give_feedback("skip")


@pytest.mark.row("J8")
async def test_without_a_word_nothing_is_said_of_it():
    async with talking() as stage:
        await stage.session.disconnect()
        (end,) = stage.backend.to("end")
        assert "feedback" not in end
