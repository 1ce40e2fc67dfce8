"""A microphone that fails in mid-talk ends the talk, with its turns and a reason."""

import asyncio

import pytest

from couchvoice.errors import AudioDeviceError
from tests.client.stage import talking
from tests.patience import WAIT


@pytest.mark.row("I5")
async def test_a_microphone_that_fails_is_said_and_the_session_is_ended():
    async with talking() as stage:

        async def unplugged() -> None:
            raise OSError("device unplugged")

        stage.microphone.read = unplugged
        async with asyncio.timeout(WAIT):
            await stage.session.wait_ended()
        assert isinstance(stage.session.error, AudioDeviceError)
        assert "device unplugged" in str(stage.session.error)
        assert stage.backend.order()[-1] == "end"
