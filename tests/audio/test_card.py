"""Cards that go and come back, on a fake sound system; real ones are in test_real_devices.py."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from couchvoice.audio import card as card_module
from couchvoice.audio.card import CHECK_EVERY
from couchvoice.audio.frames import FRAME_SAMPLES, SAMPLE_RATE, AudioFrame
from couchvoice.audio.microphone import Microphone
from couchvoice.audio.playout import PlayoutBuffer
from couchvoice.audio.speaker import Speaker
from couchvoice.errors import DeviceUnavailable
from couchvoice.scenario.media_clock import run as run_skipping
from tests.audio.fake_cards import FakeCard, FakeCards
from tests.audio.tones import pcm16, tone

BACK_WITHIN = 2.0  # s


class Room:
    """A microphone and a loudspeaker in use. ``told``: (kind, status, name) of each report."""

    def __init__(self, *, input: str | None = None, output: str | None = None) -> None:
        self.microphone, self.speaker, self.playout = Microphone(input), Speaker(output), PlayoutBuffer()
        self.told: list[tuple[str, str, str | None]] = []
        for device in (self.microphone, self.speaker):
            device.report_to(lambda report: self.told.append((report.kind, report.status, report.name)))

    async def live(self, part: Callable[[], Awaitable[None]]) -> None:
        await self.microphone.open()
        await self.speaker.open(self.playout)
        reading = asyncio.create_task(self._read())
        try:
            await part()
        finally:
            await self.speaker.close()
            await self.microphone.close()
            reading.cancel()
            await asyncio.wait({reading})
            assert asyncio.all_tasks() == {asyncio.current_task()}

    async def _read(self) -> None:
        began, self.frames = asyncio.get_running_loop().time(), 0
        while True:
            frame = await self.microphone.read()
            self.last = frame.samples
            self.frames += 1
            seconds = self.frames * FRAME_SAMPLES / SAMPLE_RATE
            assert abs(asyncio.get_running_loop().time() - began - seconds) < 0.3, "RTP goes on in real time"

    async def is_heard(self, card: FakeCard) -> bool:
        card.hear(np.full(SAMPLE_RATE // 2, 99, np.int16))
        await asyncio.sleep(0.3)
        return 99 in self.last

    async def is_played_by(self, card: FakeCard) -> bool:
        self.playout.push(AudioFrame(pcm16(tone(0.2)), SAMPLE_RATE))
        before = len(card.played)
        await asyncio.sleep(0.3)
        return any(np.abs(block).max() > 10_000 for block in card.played[before:])


def held(room: Room, part: Callable[[], Awaitable[None]]) -> None:
    run_skipping(room.live(part))


@pytest.mark.row("B8", "P10")
def test_a_headset_that_is_pulled_out_and_put_back_goes_on(install):
    headset = FakeCard("headset", inputs=1, outputs=2)
    cards, room = install(headset), Room()

    async def part() -> None:
        assert await room.is_heard(headset)
        headset.unplug()
        await asyncio.sleep(5.0)
        assert not room.last.any()
        assert sorted(room.told) == [("input", "lost", "headset"), ("output", "lost", "headset")]
        headset.plug_in()
        await asyncio.sleep(BACK_WITHIN)
        assert await room.is_heard(headset)
        assert await room.is_played_by(headset)

    held(room, part)
    assert sorted(room.told[2:]) == [("input", "restored", "headset"), ("output", "restored", "headset")]
    assert headset.streams == []
    assert cards.looks <= 2 * (5 + BACK_WITHIN + 1) / CHECK_EVERY


@pytest.mark.row("B8")
def test_the_default_takes_the_place_of_a_named_device_until_that_is_back(install):
    built_in, headset = FakeCard("built-in", inputs=2, outputs=2), FakeCard("USB headset", inputs=1, outputs=1)
    install(built_in, headset)
    room = Room(input="usb", output="usb")

    async def part() -> None:
        headset.unplug()
        await asyncio.sleep(BACK_WITHIN)
        assert await room.is_heard(built_in)
        assert await room.is_played_by(built_in)
        headset.plug_in()
        await asyncio.sleep(BACK_WITHIN)
        assert await room.is_heard(headset)
        assert await room.is_played_by(headset)
        assert built_in.streams == []

    held(room, part)
    for kind in ("input", "output"):
        assert [(status, name) for told, status, name in room.told if told == kind] == [
            ("lost", "USB headset"),
            ("replaced", "built-in"),
            ("restored", "USB headset"),
        ]


@pytest.mark.row("B8")
def test_the_other_direction_is_interrupted_only_when_the_device_is_there_again(install):
    hall, headset = FakeCard("hall", outputs=2), FakeCard("headset", inputs=1)
    cards, room = install(hall, headset), Room(input="headset")

    async def part() -> None:
        headset.unplug()
        await asyncio.sleep(10.0)
        assert (hall.opened, cards.restarts) == (1, 0)
        cards._initialize()  # as if it had been started while the microphone was away
        cards._initialized -= 1
        headset.plug_in()
        await asyncio.sleep(BACK_WITHIN)
        assert (hall.opened, cards.restarts) == (2, 1)
        assert await room.is_heard(headset)
        assert await room.is_played_by(hall)

    held(room, part)
    assert [status for kind, status, _ in room.told if kind == "output"] == []


def test_a_name_of_the_configuration_is_opened_again_without_a_restart(install):
    headset = FakeCard("headset", inputs=1, outputs=1, lists_always=True)
    cards, room = install(headset), Room(input="headset", output="headset")

    async def part() -> None:
        headset.unplug()
        await asyncio.sleep(3.0)
        headset.plug_in()
        await asyncio.sleep(BACK_WITHIN)
        assert await room.is_heard(headset)

    held(room, part)
    assert cards.restarts == 0


@pytest.mark.row("P10")
def test_a_card_that_stands_still_without_a_word_is_opened_again(install):
    headset = FakeCard("headset", inputs=1, outputs=1)
    install(headset)
    room = Room()

    async def part() -> None:
        headset.stalled = True
        await asyncio.sleep(5.0)
        headset.stalled = False
        await asyncio.sleep(BACK_WITHIN)
        assert await room.is_heard(headset)
        assert await room.is_played_by(headset)

    held(room, part)
    assert {status for _, status, _ in room.told} == {"lost", "restored"}


def test_a_device_that_is_there_and_cannot_be_opened_is_tried_less_and_less(install):
    headset, hall = FakeCard("headset", inputs=1), FakeCard("hall", outputs=1)
    cards, room = install(headset, hall), Room()

    async def part() -> None:
        headset.broken = True
        headset.unplug()
        headset.plug_in()
        await asyncio.sleep(60.0)
        assert 3 <= cards.restarts <= 7
        headset.broken = False
        await asyncio.sleep(31.0)
        assert await room.is_heard(headset)
        assert await room.is_played_by(hall)

    held(room, part)


def test_a_device_that_came_after_the_first_look_is_found_at_the_next_talk(install):
    headset = FakeCard("headset", inputs=1, plugged=False)
    cards = install(headset)
    headset.plug_in()

    async def main() -> None:
        microphone = Microphone("headset")
        await microphone.open()
        await microphone.close()

    run_skipping(main())
    assert cards.restarts == 1


def test_the_streams_of_another_talk_are_not_cut_for_a_talk_that_cannot_begin(install):
    headset, gone = FakeCard("headset", inputs=1), FakeCard("gone", inputs=1)
    cards = install(headset, gone)

    async def main() -> None:
        microphone = Microphone("headset")
        await microphone.open()
        gone.unplug()
        with pytest.raises(DeviceUnavailable):
            await Microphone("gone").open()
        assert (headset.opened, cards.restarts) == (1, 0)
        await microphone.close()

    run_skipping(main())


def test_closed_while_it_is_looked_for_nothing_stays(install):
    headset = FakeCard("headset", inputs=1)
    install(headset)

    async def main() -> None:
        microphone = Microphone()
        await microphone.open()
        headset.unplug()
        await asyncio.sleep(CHECK_EVERY / 2)
        headset.plug_in()
        await asyncio.sleep(CHECK_EVERY / 2)  # it is being opened at this moment
        await microphone.close()
        await microphone.close()
        assert asyncio.all_tasks() == {asyncio.current_task()}

    run_skipping(main())
    assert headset.streams == []


FAULTS = st.lists(
    st.tuples(
        st.sampled_from(["headset", "hall", "built-in"]),
        st.sampled_from(["unplug", "plug in", "stall", "go on", "break", "mend"]),
        st.floats(0.0, 3.5),
    ),
    max_size=6,
)


@pytest.mark.row("P10")
@settings(max_examples=10, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(FAULTS)
def test_whatever_devices_do_sound_goes_on_when_they_are_back(
    install, monkeypatch: pytest.MonkeyPatch, faults: list[tuple[str, str, float]]
):
    monkeypatch.setattr(card_module, "LONGEST_PATIENCE", 4.0)
    cards: FakeCards = install(
        FakeCard("built-in", inputs=1, outputs=1), FakeCard("headset", inputs=1), FakeCard("hall", outputs=2)
    )
    _, headset, hall = cards.cards
    room = Room(input="headset", output="hall")

    async def part() -> None:
        for name, fault, seconds in faults:
            card = next(card for card in cards.cards if card.name == name)
            match fault:
                case "unplug":
                    card.unplug()
                case "plug in":
                    card.plug_in()
                case "stall" | "go on":
                    card.stalled = fault == "stall"
                case _:
                    card.broken = fault == "break"
            await asyncio.sleep(seconds)
        for card in cards.cards:
            card.plugged, card.stalled, card.broken = True, False, False
        await asyncio.sleep(9.0)  # the longest patience, and a stall noticed
        assert await room.is_heard(headset)
        assert await room.is_played_by(hall)

    held(room, part)
    assert not any(card.streams for card in cards.cards)
