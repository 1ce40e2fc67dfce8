"""Devices that fail, come and go, as a session tells of them."""

import asyncio

import numpy as np
import pytest

from couchvoice.audio.meter import SILENCE_DB
from couchvoice.audio.microphone import Microphone as RealMicrophone
from couchvoice.audio.speaker import Speaker
from couchvoice.core.notices import DeviceChanged
from couchvoice.core.state import TALK
from couchvoice.errors import MicrophoneDenied
from tests.audio.fake_cards import FakeCard
from tests.client.stage import Microphone, staged, talking
from tests.patience import WAIT, until


@pytest.mark.row("B9")
async def test_a_microphone_that_may_not_be_used_ends_it_at_once_and_is_not_tried_again():
    microphone = Microphone(fails=MicrophoneDenied("why", "hint"))
    async with staged(microphone=microphone) as stage:
        with pytest.raises(MicrophoneDenied):
            await stage.session.connect()
        assert stage.session.status == "mic_permission_denied"
        assert stage.statuses[-1] == "mic_permission_denied"
        assert microphone.story.count("open") == 1
        assert [type(error) for error in stage.errors] == [MicrophoneDenied]


@pytest.mark.row("M6")
async def test_a_talk_without_a_loudspeaker_goes_on_in_writing_until_there_is_one(install):
    hall = FakeCard("hall", outputs=2, plugged=False)
    install(hall)
    async with talking(loudspeaker=Speaker()) as stage:
        await stage.told(DeviceChanged)
        missing = stage.of(DeviceChanged)[0]
        assert (missing.kind, missing.status) == ("output", "missing")
        stage.ask()
        stage.begin_answer()
        stage.end_answer()
        await stage.backend.wait_for("turn")
        hall.plug_in()
        await stage.told(DeviceChanged, times=2)
        assert stage.of(DeviceChanged)[1] == DeviceChanged("output", "restored", "hall")
        await until(lambda: bool(hall.played))
        assert stage.session.state in TALK
    assert hall.streams == []


@pytest.mark.row("B8", "B10")
async def test_a_microphone_that_is_pulled_out_is_told_and_the_level_of_what_leaves_falls(install):
    headset = FakeCard("headset", inputs=1)
    install(headset)
    microphone = RealMicrophone("headset")
    async with talking(microphone=microphone) as stage:
        headset.hear(np.full(480_000, 10_000, np.int16))
        await until(lambda: stage.session.levels.input > -20)
        await until(lambda: stage.session.levels.output > -60)  # the far end is never silent
        headset.unplug()
        await stage.told(DeviceChanged)
        assert stage.of(DeviceChanged) == [DeviceChanged("input", "lost", "headset")]
        await until(lambda: stage.session.levels.input == SILENCE_DB)
        async with asyncio.timeout(WAIT):
            await stage.session.disconnect()
    assert headset.streams == []
