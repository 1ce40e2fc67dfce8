"""Cards that the sound system of test_devices.py cannot be: none, only one rate, several of a name, stalled, broken."""

from __future__ import annotations

import asyncio
import sys
from types import SimpleNamespace

import numpy as np
import pytest
from numpy.typing import NDArray

from couchvoice.audio import devices
from couchvoice.audio.devices import Device, Microphone, Speaker, find_input, find_output, mixed_down
from couchvoice.audio.frames import FRAME_SAMPLES, SAMPLE_RATE, AudioFrame
from couchvoice.audio.playout import PlayoutBuffer
from couchvoice.errors import AudioDeviceError
from tests.audio.clock import run_skipping
from tests.audio.tones import pcm16, snr_db, tone

WELL = SimpleNamespace(input_overflow=False, output_underflow=False)
UNWELL = SimpleNamespace(input_overflow=True, output_underflow=True)


class PortAudioError(Exception):
    pass


class Card:
    """Stands for the module sounddevice with one card, of one rate and one number of channels."""

    PortAudioError = PortAudioError

    def __init__(self, rate: int = SAMPLE_RATE, channels: int = 1) -> None:
        self.rate = rate
        self.channels = channels
        self.default = SimpleNamespace(device=(0, 0))
        self.starts = True
        self.closed = 0
        self.InputStream = self.OutputStream = self.open

    def query_hostapis(self) -> list[dict[str, object]]:
        return [{"name": "ALSA"}]

    def query_devices(self) -> list[dict[str, object]]:
        channels = {"max_input_channels": self.channels, "max_output_channels": self.channels}
        return [{"index": 0, "name": "card", "hostapi": 0, "default_samplerate": float(self.rate), **channels}]

    def check_input_settings(self, *, samplerate: int, channels: int, **_others: object) -> None:
        if (samplerate, channels) != (self.rate, self.channels):
            raise PortAudioError("Invalid sample rate")

    check_output_settings = check_input_settings

    def open(self, *, samplerate, channels, blocksize, callback, **_others) -> Card:
        self.check_input_settings(samplerate=samplerate, channels=channels)
        self.blocksize = blocksize
        self.callback = callback
        return self

    def start(self) -> None:
        if not self.starts:
            raise PortAudioError("Device unavailable")

    def close(self, ignore_errors: bool = True) -> None:
        self.closed += 1

    def say(self, samples: NDArray[np.int16], flags: SimpleNamespace = WELL) -> None:
        """Give sound to the microphone, as the card's thread does."""
        for start in range(0, samples.size, self.blocksize):
            block = samples[start : start + self.blocksize]
            self.callback(np.repeat(block[:, np.newaxis], self.channels, axis=1), block.size, None, flags)

    def play(self, flags: SimpleNamespace = WELL) -> NDArray[np.int16]:
        """Ask the speaker for a block."""
        block = np.full((self.blocksize, self.channels), 77, dtype=np.int16)
        self.callback(block, self.blocksize, None, flags)
        return block


@pytest.fixture
def card(monkeypatch: pytest.MonkeyPatch) -> Card:
    return plug_in(monkeypatch, Card())


def plug_in(monkeypatch: pytest.MonkeyPatch, card: Card) -> Card:
    monkeypatch.setitem(sys.modules, "sounddevice", card)  # type: ignore[arg-type]
    return card


def named(index: int, name: str) -> Device:
    return Device(
        index=index,
        name=name,
        host_api="ALSA",
        input_channels=1,
        output_channels=1,
        default_rate=SAMPLE_RATE,
        is_default_input=index == 1,
        is_default_output=index == 1,
    )


def listed(monkeypatch: pytest.MonkeyPatch, *names: str) -> None:
    monkeypatch.setattr(devices, "list_devices", lambda: [named(index, name) for index, name in enumerate(names)])


def test_without_any_device_one_line_says_so_and_what_to_do(monkeypatch: pytest.MonkeyPatch):
    listed(monkeypatch)
    with pytest.raises(AudioDeviceError, match=r"^no input device: .*--input FILE\.wav"):
        find_input()
    with pytest.raises(AudioDeviceError, match=r"^no output device: .*--output FILE\.wav"):
        find_output("Jabra")


def test_without_a_selector_the_default_is_taken(monkeypatch: pytest.MonkeyPatch):
    listed(monkeypatch, "built-in", "headset")
    assert (find_input().name, find_output().name) == ("headset", "headset")


@pytest.mark.parametrize(
    ("selector", "found"),
    [("2", "USB Speaker 2"), ("usb speaker 2", "USB Speaker 2"), ("USB", "USB"), ("buil", "built-in")],
)
def test_an_index_beats_a_name_and_a_name_beats_a_part_of_one(
    monkeypatch: pytest.MonkeyPatch, selector: str, found: str
):
    listed(monkeypatch, "built-in", "USB", "USB Speaker 2")
    assert find_output(selector).name == found


def test_a_selector_that_fits_several_lists_them(monkeypatch: pytest.MonkeyPatch):
    listed(monkeypatch, "built-in", "Jabra 410", "Jabra 510")
    with pytest.raises(
        AudioDeviceError, match='several input devices match "jabra": name one of 1 Jabra 410, 2 Jabra 510'
    ):
        find_input("jabra")


def test_one_card_under_two_host_apis_is_not_ambiguous(monkeypatch: pytest.MonkeyPatch):
    listed(monkeypatch, "built-in", "Jabra 410", "Jabra 410")
    assert find_input("jabra").index == 1


def test_channels_are_mixed_by_their_mean():
    assert mixed_down(np.array([[32767, 32767], [-32768, 32767], [100, 200]], dtype=np.int16)).tolist() == [
        32767,
        0,
        150,
    ]


@pytest.mark.parametrize("rate", [8_000, 16_000, 22_050, 44_100, 96_000])
@pytest.mark.parametrize("channels", [1, 2])
def test_a_card_of_any_rate_is_heard_in_frames_of_20_ms(monkeypatch: pytest.MonkeyPatch, rate: int, channels: int):
    card = plug_in(monkeypatch, Card(rate, channels))

    async def main() -> list[AudioFrame]:
        microphone = Microphone()
        await microphone.open()
        card.say(pcm16(tone(0.4, rate=rate)))
        frames = [await microphone.read() for _ in range(19)]
        await microphone.close()
        return frames

    frames = run_skipping(main())
    assert {(frame.samples.size, frame.rate) for frame in frames} == {(FRAME_SAMPLES, SAMPLE_RATE)}
    assert snr_db(np.concatenate([frame.samples for frame in frames])) > 60


def test_while_the_card_stalls_silence_goes_out_in_real_time_and_then_the_sound_goes_on(card: Card):
    async def main() -> None:
        microphone = Microphone()
        await microphone.open()
        now = asyncio.get_running_loop().time
        card.say(pcm16(tone(0.02)))
        assert (await microphone.read()).samples.any()
        silent_since = now()
        moments = []
        for _ in range(100):
            assert not (await microphone.read()).samples.any()
            moments.append(now() - silent_since)
        assert moments == pytest.approx([devices.STALL_TIMEOUT + number * 0.02 for number in range(100)])
        card.say(pcm16(tone(0.02)))
        assert (await microphone.read()).samples.any()
        await microphone.close()
        assert not (await microphone.read()).samples.any()

    run_skipping(main())


def test_when_nobody_reads_the_oldest_blocks_are_dropped_and_counted(card: Card):
    async def main() -> None:
        microphone = Microphone()
        await microphone.open()
        card.say(np.repeat(np.arange(1, 61, dtype=np.int16), card.blocksize))
        assert microphone.lost_blocks == 10
        assert (await microphone.read()).samples[0] == 11
        card.say(pcm16(tone(0.01)), UNWELL)
        assert microphone.lost_blocks == 11
        await microphone.close()

    run_skipping(main())


async def test_a_microphone_never_finishes(card: Card):
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0):
            await Microphone().finished()


@pytest.mark.parametrize(("rate", "channels"), [(48_000, 1), (48_000, 2), (44_100, 2), (16_000, 1)])
def test_a_card_of_any_rate_plays_on_all_its_channels(monkeypatch: pytest.MonkeyPatch, rate: int, channels: int):
    card = plug_in(monkeypatch, Card(rate, channels))

    async def main() -> NDArray[np.int16]:
        playout, speaker = PlayoutBuffer(), Speaker()
        await speaker.open(playout)
        playout.push(AudioFrame(pcm16(tone(1.0)), SAMPLE_RATE))
        block = np.concatenate([card.play() for _ in range(90)])
        await speaker.close()
        return block

    played = run_skipping(main())
    assert played.shape[1] == channels
    assert (played == played[:, :1]).all()
    assert snr_db(played[:, 0], rate=rate) > 60


async def test_what_the_card_missed_is_counted(card: Card):
    speaker = Speaker()
    await speaker.open(PlayoutBuffer())
    card.play(UNWELL)
    assert speaker.underflows == 1
    await speaker.close()


async def test_a_card_that_does_not_start_is_closed_again_and_the_error_names_it(card: Card):
    card.starts = False
    with pytest.raises(AudioDeviceError, match='cannot open the input device "card": Device unavailable'):
        await Microphone().open()
    with pytest.raises(AudioDeviceError, match='cannot open the output device "card": Device unavailable'):
        await Speaker().open(PlayoutBuffer())
    assert card.closed == 2


async def test_a_card_that_takes_no_format_says_why(card: Card, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(card, "rate", 11_025)
    monkeypatch.setattr(card, "query_devices", Card().query_devices)
    with pytest.raises(AudioDeviceError, match="Invalid sample rate"):
        await Microphone().open()


async def test_closing_twice_or_unopened_is_quiet(card: Card):
    microphone, speaker = Microphone(), Speaker()
    await speaker.close()
    await microphone.open()
    await microphone.close()
    await microphone.close()
    assert card.closed == 1
