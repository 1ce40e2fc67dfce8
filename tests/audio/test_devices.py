from __future__ import annotations

import pytest

from couchvoice.audio.devices import Device, choose, find_input, list_devices
from couchvoice.audio.frames import SAMPLE_RATE
from couchvoice.audio.permission import microphone_hint
from couchvoice.errors import DeviceNotFound
from tests.audio.fake_cards import FakeCard


def devices(*names: str) -> list[Device]:
    """The second of them is the default."""
    return [
        Device(
            index=index,
            name=name,
            host_api="ALSA",
            input_channels=1,
            output_channels=1,
            default_rate=SAMPLE_RATE,
            is_default_input=index == 1,
            is_default_output=index == 1,
        )
        for index, name in enumerate(names)
    ]


@pytest.mark.row("B9")
def test_without_a_microphone_it_is_said_where_the_system_may_hide_it():
    with pytest.raises(DeviceNotFound) as missing:
        choose("input", [], None)
    assert microphone_hint() in str(missing.value)


@pytest.mark.row("B8", "B9")
@pytest.mark.parametrize("selector", [None, "Jabra"])
@pytest.mark.parametrize("kind", ["input", "output"])
def test_without_any_device_one_line_says_so_and_what_to_do(kind: str, selector: str | None):
    with pytest.raises(DeviceNotFound, match=rf"^no {kind} device: .*--{kind} FILE\.wav"):
        choose(kind, [], selector)


@pytest.mark.parametrize("kind", ["input", "output"])
def test_without_a_selector_the_default_is_taken(kind: str):
    assert choose(kind, devices("built-in", "headset"), None).name == "headset"


@pytest.mark.row("B8")
@pytest.mark.parametrize(
    ("selector", "found"),
    [("2", "USB Speaker 2"), ("usb speaker 2", "USB Speaker 2"), ("USB", "USB"), ("buil", "built-in")],
)
def test_an_index_beats_a_name_and_a_name_beats_a_part_of_one(selector: str, found: str):
    assert choose("output", devices("built-in", "USB", "USB Speaker 2"), selector).name == found


def test_a_selector_that_fits_several_lists_them():
    with pytest.raises(
        DeviceNotFound, match='several input devices match "jabra": name one of 1 Jabra 410, 2 Jabra 510'
    ):
        choose("input", devices("built-in", "Jabra 410", "Jabra 510"), "jabra")


@pytest.mark.row("B8")
def test_a_selector_that_fits_none_lists_all_of_that_direction(install):
    install(FakeCard("headset", inputs=1), FakeCard("hall", outputs=2))
    with pytest.raises(DeviceNotFound, match=r'no input device matches "Jabra": run .* \(there are: 0 headset\)$'):
        find_input("Jabra")


def test_one_card_under_two_host_apis_is_not_ambiguous():
    assert choose("input", devices("built-in", "Jabra 410", "Jabra 410"), "jabra").index == 1


def test_the_list_tells_what_each_device_can_and_which_are_the_defaults(install):
    install(FakeCard("headset", rate=16_000, inputs=1), FakeCard("hall", outputs=2))
    told = [
        (device.name, device.default_rate, device.input_channels, device.output_channels) for device in list_devices()
    ]
    assert told == [("headset", 16_000, 1, 0), ("hall", 48_000, 0, 2)]
    assert [(device.is_default_input, device.is_default_output) for device in list_devices()] == [
        (True, False),
        (False, True),
    ]
