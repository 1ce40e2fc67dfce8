from __future__ import annotations

import asyncio

import numpy as np
import pytest

from couchvoice.audio.frames import SAMPLE_RATE, AudioFrame
from couchvoice.audio.playout import PlayoutBuffer
from couchvoice.audio.report import DeviceReport
from couchvoice.audio.speaker import Speaker
from couchvoice.errors import DeviceNotFound
from couchvoice.scenario.media_clock import run as run_skipping
from tests.audio.fake_cards import FakeCard
from tests.audio.tones import pcm16, snr_db, tone


@pytest.mark.row("B2")
@pytest.mark.parametrize(
    ("rate", "channels"), [(48_000, 1), (48_000, 2), (44_100, 2), (16_000, 1), (8_000, 1), (96_000, 8)]
)
def test_a_card_of_any_rate_plays_without_a_gap_on_all_its_channels(install, rate: int, channels: int):
    card = FakeCard("hall", rate=rate, outputs=channels)
    install(card)

    async def main() -> None:
        playout, speaker = PlayoutBuffer(), Speaker()
        await speaker.open(playout)
        playout.push(AudioFrame(pcm16(tone(1.0)), SAMPLE_RATE))
        await asyncio.sleep(0.9)
        assert playout.counters.underruns == 0
        await speaker.close()

    run_skipping(main())
    assert all((block == block[:, :1]).all() and block.shape[1] == channels for block in card.played)
    sound = card.sound()
    began = np.flatnonzero(sound)[0]
    assert snr_db(sound[began + rate // 10 :], rate=rate) > 60


@pytest.mark.row("B2")
def test_the_volume_is_of_what_the_card_plays_and_may_change(install):
    card = FakeCard("hall", outputs=1)
    install(card)

    async def main() -> None:
        playout, speaker = PlayoutBuffer(), Speaker(volume=200)
        assert speaker.volume == 200
        await speaker.open(playout)
        playout.push(AudioFrame(np.full(SAMPLE_RATE, 5_000, np.int16), SAMPLE_RATE))
        await asyncio.sleep(0.4)
        assert card.played[-1].max() == 10_000
        speaker.volume = 50
        await asyncio.sleep(0.1)
        assert card.played[-1].max() == 2_500
        await speaker.close()

    run_skipping(main())


@pytest.mark.row("B6")
def test_the_echos_reference_is_as_loud_as_what_was_played(install):
    card = FakeCard("hall", outputs=1)
    install(card)
    reference = []

    async def main() -> None:
        playout, speaker = PlayoutBuffer(on_played=reference.append), Speaker(volume=50)
        await speaker.open(playout)
        playout.push(AudioFrame(pcm16(tone(0.3)), SAMPLE_RATE))
        await asyncio.sleep(0.4)
        await speaker.close()

    run_skipping(main())
    told = np.concatenate(reference)
    assert 0 < np.abs(told).max() <= np.abs(pcm16(tone(0.3))).max() // 2 + 1
    assert np.array_equal(card.sound(), told[-card.sound().size :])


@pytest.mark.row("P10")
def test_what_the_card_missed_is_counted(install):
    card = FakeCard("hall", outputs=1)
    install(card)

    async def main() -> None:
        speaker = Speaker()
        await speaker.open(PlayoutBuffer())
        card.underflow()
        await asyncio.sleep(0.1)
        assert speaker.underflows == 1
        await speaker.close()

    run_skipping(main())


@pytest.mark.row("M6")
@pytest.mark.parametrize("fault", ["unplugged", "broken"])
def test_without_a_loudspeaker_time_passes_as_if_somebody_listened_and_it_is_used_when_it_comes(install, fault: str):
    card = FakeCard("hall", outputs=2, plugged=fault != "unplugged", broken=fault == "broken")
    install(card)
    told: list[DeviceReport] = []

    async def main() -> None:
        playout, speaker = PlayoutBuffer(), Speaker()
        speaker.report_to(told.append)
        await speaker.open(playout)
        playout.push(AudioFrame(pcm16(tone(1.0)), SAMPLE_RATE))
        await asyncio.sleep(0.5)
        assert playout.buffered_ms == pytest.approx(500, abs=70)
        assert [report.status for report in told] == ["missing"]
        assert told[0].detail
        card.plugged, card.broken = True, False
        await asyncio.sleep(2.1)
        playout.push(AudioFrame(pcm16(tone(1.0)), SAMPLE_RATE))
        await asyncio.sleep(0.5)
        assert [report.status for report in told] == ["missing", "restored"]
        await speaker.close()
        left = playout.buffered_ms
        await asyncio.sleep(0.5)
        assert playout.buffered_ms == left
        assert len(asyncio.all_tasks()) == 1

    run_skipping(main())
    assert np.abs(card.sound()).max() > 10_000


@pytest.mark.row("B8")
def test_a_name_that_is_nobodys_is_a_mistake_and_not_waited_for(install):
    install(FakeCard("hall", outputs=1))

    async def main() -> None:
        with pytest.raises(DeviceNotFound, match="there are: 0 hall"):
            await Speaker("Jabra").open(PlayoutBuffer())

    run_skipping(main())


async def test_closed_unopened_is_quiet(install):
    install()
    await Speaker().close()
