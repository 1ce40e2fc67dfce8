from __future__ import annotations

import asyncio

import numpy as np
import pytest

from couchvoice.audio.frames import FRAME_SAMPLES, SAMPLE_RATE
from couchvoice.audio.intake import STALL_TIMEOUT
from couchvoice.audio.microphone import SILENT_AFTER, Microphone
from couchvoice.audio.report import DeviceReport
from couchvoice.errors import DeviceUnavailable
from couchvoice.scenario.media_clock import run as run_skipping
from tests.audio.fake_cards import FakeCard
from tests.audio.tones import pcm16, snr_db, tone


async def heard(microphone: Microphone, seconds: float) -> np.ndarray:
    frames = [await microphone.read() for _ in range(round(seconds * SAMPLE_RATE / FRAME_SAMPLES))]
    assert {(frame.samples.size, frame.rate, frame.samples.dtype) for frame in frames} == {
        (FRAME_SAMPLES, SAMPLE_RATE, np.dtype(np.int16))
    }
    return np.concatenate([frame.samples for frame in frames])


def loud(samples: np.ndarray) -> np.ndarray:
    at = np.flatnonzero(np.abs(samples) > 100)
    return samples[at[0] : at[-1]] if at.size else samples[:0]


@pytest.mark.row("B1")
@pytest.mark.parametrize("rate", [8_000, 16_000, 22_050, 44_100, 48_000, 96_000])
@pytest.mark.parametrize("channels", [1, 2, 6])
def test_a_card_of_any_rate_is_heard_in_frames_of_20_ms(install, rate: int, channels: int):
    card = FakeCard("card", rate=rate, inputs=channels)
    install(card)

    async def main() -> np.ndarray:
        microphone = Microphone()
        await microphone.open()
        await microphone.read()
        card.hear(pcm16(tone(0.4, rate=rate)))
        samples = await heard(microphone, 0.6)
        await microphone.close()
        return samples

    samples = loud(run_skipping(main()))
    assert samples.size / SAMPLE_RATE == pytest.approx(0.4, abs=0.002)
    assert snr_db(samples[480:-480]) > 60


@pytest.mark.row("B1", "P10")
@pytest.mark.parametrize("drift_ppm", [-200, 200])
def test_a_clock_that_drifts_is_followed_without_a_loss(install, drift_ppm: float):
    """The frames come in the card's own time: nothing piles up, nothing is invented."""
    card = FakeCard("card", inputs=1, drift_ppm=drift_ppm)
    install(card)

    async def main() -> tuple[float, int, int]:
        microphone = Microphone()
        await microphone.open()
        await microphone.read()
        card.hear(np.full(31 * SAMPLE_RATE, 7, np.int16))
        await microphone.read()
        began = asyncio.get_running_loop().time()
        samples = await heard(microphone, 30.0)
        took = asyncio.get_running_loop().time() - began
        await microphone.close()
        return took, int((samples != 7).sum()), microphone.lost_blocks

    took, others, lost = run_skipping(main())
    assert took == pytest.approx(30 / (1 + drift_ppm / 1e6), abs=0.011)
    assert (others, lost) == (0, 0)


@pytest.mark.row("B1", "P10")
def test_what_the_card_lost_is_silence_of_the_same_length(install):
    card = FakeCard("card", inputs=1)
    install(card)

    async def main() -> np.ndarray:
        microphone = Microphone()
        await microphone.open()
        await heard(microphone, 0.1)
        card.hear(np.arange(1, 9_601, dtype=np.int16))
        before = await heard(microphone, 0.1)
        card.overflow(1_440)  # 30 ms
        samples = np.concatenate([before, await heard(microphone, 0.2)])
        assert microphone.lost_blocks == 1
        await microphone.close()
        return samples

    samples = run_skipping(main())
    samples = samples[np.flatnonzero(samples)[0] :]
    at = np.flatnonzero(samples == 0)[0]
    assert not samples[at : at + 1_440].any()
    assert samples[at + 1_440] - samples[at - 1] == 1_441


@pytest.mark.row("P10")
def test_while_the_card_stalls_silence_goes_out_in_real_time_and_then_the_sound_goes_on(install):
    card = FakeCard("card", inputs=1)
    install(card)

    async def main() -> None:
        microphone = Microphone()
        await microphone.open()
        await microphone.read()
        now = asyncio.get_running_loop().time
        card.stalled, silent_since = True, now()
        moments = []
        for _ in range(100):
            assert not (await microphone.read()).samples.any()
            moments.append(now() - silent_since)
        assert moments == pytest.approx([STALL_TIMEOUT + number * 0.02 for number in range(100)])
        card.stalled = False
        card.hear(np.full(SAMPLE_RATE, 5, np.int16))
        assert (await heard(microphone, 0.2))[-FRAME_SAMPLES:].all()
        await microphone.close()
        assert not (await heard(microphone, 0.4))[-FRAME_SAMPLES:].any()

    run_skipping(main())


async def test_a_microphone_never_finishes():
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0):
            await Microphone().finished()


@pytest.mark.row("B9")
@pytest.mark.parametrize("is_heard", [False, True])
def test_a_microphone_that_gives_only_zeros_is_told_once(install, is_heard: bool):
    card = FakeCard("headset", inputs=1)
    install(card)
    told: list[DeviceReport] = []

    async def main() -> None:
        microphone = Microphone()
        microphone.report_to(told.append)
        await microphone.open()
        if is_heard:
            await heard(microphone, 1.0)
            card.hear(np.ones(480, np.int16))
        await heard(microphone, 3 * SILENT_AFTER)
        await microphone.close()

    run_skipping(main())
    assert told == ([] if is_heard else [DeviceReport("input", "silent", "headset")])


def test_a_card_that_cannot_be_opened_is_named_and_nothing_stays_open(install, monkeypatch: pytest.MonkeyPatch):
    card = FakeCard("headset", inputs=1, broken=True)
    cards = install(card)

    async def main() -> None:
        with pytest.raises(DeviceUnavailable, match=r'cannot open the input device "headset": .*unavailable'):
            await Microphone().open()
        card.broken, card.rate = False, 11_025
        (lies,) = cards.query_devices()
        monkeypatch.setattr(cards, "query_devices", lambda: [lies | {"default_samplerate": 44_100.0}])
        with pytest.raises(DeviceUnavailable, match="Invalid sample rate"):
            await Microphone().open()

    run_skipping(main())
    assert card.streams == []


def test_closing_twice_or_unopened_is_quiet(install):
    card = FakeCard("headset", inputs=1)
    install(card)

    async def main() -> None:
        microphone = Microphone()
        await microphone.close()
        await microphone.open()
        await microphone.close()
        await microphone.close()
        assert len(asyncio.all_tasks()) == 1

    run_skipping(main())
    assert card.streams == []
