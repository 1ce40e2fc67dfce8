from __future__ import annotations

import asyncio
import os
import resource
import tracemalloc
import wave
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from couchvoice.audio.frames import FRAME_SAMPLES, SAMPLE_RATE, AudioFrame
from couchvoice.audio.playout import PlayoutBuffer
from couchvoice.audio.wav import WavSink, WavSource, read_wav
from couchvoice.errors import ConfigError
from couchvoice.scenario.media_clock import run as run_skipping
from tests.audio.tones import FORMATS, pcm16, snr_db, tone, wav_bytes

BAD = Path(__file__).parents[2] / "fixtures" / "bad"
PLAYABLE_MS = {"two-hours": 50, "endless": 50, "truncated": 25, "rf64": 50}
RATES = (8_000, 16_000, 22_050, 24_000, 44_100, 48_000, 96_000)


@pytest.fixture
def wav(tmp_path: Path) -> Path:
    path = tmp_path / "tone.wav"
    path.write_bytes(wav_bytes(tone(0.25, rate=24_000), rate=24_000))
    return path


async def play(path: Path, frames: int) -> list[tuple[float, AudioFrame]]:
    """Frames with the time when each was handed out."""
    source = WavSource(path)
    await source.open()
    now = asyncio.get_running_loop().time
    played = []
    for _ in range(frames):
        frame = await source.read()
        played.append((now(), frame))
    await source.close()
    return played


def joined(played: list[tuple[float, AudioFrame]]) -> NDArray[np.int16]:
    return np.concatenate([frame.samples for _, frame in played])


@pytest.mark.row("B12")
@pytest.mark.parametrize("sample", FORMATS)
@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("rate", RATES)
def test_any_usual_wav_keeps_its_duration_and_its_tone(tmp_path: Path, rate: int, channels: int, sample: str):
    path = tmp_path / "tone.wav"
    path.write_bytes(wav_bytes(tone(0.5, rate=rate), rate=rate, channels=channels, sample=sample))
    sound = read_wav(path)
    assert sound.rate == SAMPLE_RATE
    assert abs(sound.samples.size / SAMPLE_RATE - 0.5) < 0.001
    assert snr_db(sound.samples) > (40 if sample == "u8" else 60)
    assert np.abs(sound.samples).max() == pytest.approx(32767 / 2, rel=0.02)


@pytest.mark.parametrize("sample", FORMATS)
def test_the_extensible_header_is_understood(tmp_path: Path, sample: str):
    path = tmp_path / "tone.wav"
    path.write_bytes(wav_bytes(tone(0.2), rate=SAMPLE_RATE, channels=2, sample=sample, extensible=True))
    assert snr_db(read_wav(path).samples) > 40


def test_a_whole_file_can_be_had_at_another_rate(wav: Path):
    sound = read_wav(wav, rate=16_000)
    assert (sound.rate, sound.samples.size) == (16_000, 4_000)
    assert snr_db(sound.samples, rate=16_000) > 60


@pytest.mark.row("B12")
def test_a_source_plays_the_whole_file_in_frames_of_20_ms_and_then_silence(wav: Path):
    played = run_skipping(play(wav, 20))
    assert {frame.samples.size for _, frame in played} == {FRAME_SAMPLES}
    assert {frame.rate for _, frame in played} == {SAMPLE_RATE}
    assert np.array_equal(joined(played)[:12_000], read_wav(wav).samples)
    assert not joined(played)[12_000:].any()


@pytest.mark.row("B12")
def test_a_source_is_paced_in_real_time_without_drift(wav: Path):
    played = run_skipping(play(wav, 1_000))
    assert [moment for moment, _ in played] == pytest.approx([number * 0.02 for number in range(1_000)])


def test_a_reader_who_was_away_gets_what_is_due_and_no_more(wav: Path):
    async def main() -> list[float]:
        source = WavSource(wav)
        await source.open()
        now = asyncio.get_running_loop().time
        await source.read()
        await asyncio.sleep(0.3)
        moments = []
        for _ in range(20):
            await source.read()
            moments.append(now())
        await source.close()
        return moments

    moments = run_skipping(main())
    assert moments[:15] == pytest.approx([0.3] * 15)
    assert moments[15:] == pytest.approx([0.32, 0.34, 0.36, 0.38, 0.40])


@pytest.mark.parametrize("seconds", [0.02, 0.04, 0.05])
def test_a_source_is_finished_with_the_frame_that_holds_its_last_sample(tmp_path: Path, seconds: float):
    path = tmp_path / "short.wav"
    path.write_bytes(wav_bytes(tone(seconds), rate=SAMPLE_RATE))

    async def main() -> int:
        source = WavSource(path)
        await source.open()
        finished = asyncio.create_task(source.finished())
        frames = 0
        while not finished.done():
            await source.read()
            frames += 1
            await asyncio.sleep(0)
        await finished
        await source.close()
        return frames

    assert run_skipping(main()) == -(-round(seconds * 1000) // 20)


async def test_a_closed_source_goes_on_with_silence_and_closes_twice(wav: Path):
    source = WavSource(wav)
    await source.close()
    await source.open()
    await source.read()
    await source.close()
    await source.close()
    assert not (await source.read()).samples.any()


def test_a_file_that_vanishes_before_the_opening_ends_the_sound_not_the_talk(wav: Path, caplog):
    source = WavSource(wav)
    wav.unlink()

    async def main() -> AudioFrame:
        await source.open()
        frame = await source.read()
        await source.finished()
        await source.close()
        return frame

    assert not run_skipping(main()).samples.any()
    assert "no such file" in caplog.text


@pytest.mark.parametrize("path", sorted(BAD.glob("*.wav")), ids=lambda path: path.stem)
def test_a_malformed_file_is_refused_at_once_or_played_as_far_as_it_goes(path: Path):
    expected = PLAYABLE_MS.get(path.stem)
    if expected is not None:
        WavSource(path)
        assert read_wav(path).samples.size / 48 == expected
        return
    with pytest.raises(ConfigError, match=f"cannot play .*{path.name}: ") as refused:
        WavSource(path)
    assert "\n" not in str(refused.value)
    with pytest.raises(ConfigError):
        read_wav(path)


def test_the_corpus_is_described_file_by_file():
    described = (BAD / "README.md").read_text(encoding="utf-8")
    assert [path.name for path in BAD.glob("*.wav") if path.name not in described] == []


def test_a_header_that_promises_hours_costs_no_memory():
    tracemalloc.start()
    try:
        read_wav(BAD / "two-hours.wav")
        assert tracemalloc.get_traced_memory()[1] < 1_000_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(("name", "reason"), [("nowhere.wav", "no such file"), (".", "is a directory")])
def test_a_path_that_holds_no_file_is_refused(tmp_path: Path, name: str, reason: str):
    with pytest.raises(ConfigError, match=reason):
        WavSource(tmp_path / name)


def test_a_pipe_is_refused_instead_of_waited_for(tmp_path: Path):
    os.mkfifo(tmp_path / "pipe.wav")
    with pytest.raises(ConfigError, match="not a regular file"):
        WavSource(tmp_path / "pipe.wav")
    with pytest.raises(ConfigError, match="not a regular file"):
        WavSink(tmp_path / "pipe.wav")


async def record(path: Path, sounds: dict[float, NDArray[np.int16]], *, until: float) -> None:
    """A talk in which each sound arrives at its second after the connection."""
    playout, sink = PlayoutBuffer(), WavSink(path)
    await sink.open(playout)
    start = asyncio.get_running_loop().time()
    for second, samples in sounds.items():
        await asyncio.sleep(start + second - asyncio.get_running_loop().time())
        playout.push(AudioFrame(samples, SAMPLE_RATE))
    await asyncio.sleep(start + until - asyncio.get_running_loop().time())
    await sink.close()
    await sink.close()


@pytest.mark.row("B12")
def test_the_output_is_an_unbroken_timeline_from_the_connection_to_the_end(tmp_path: Path):
    path = tmp_path / "reply.wav"
    sound = pcm16(tone(0.5))
    run_skipping(record(path, {1.0: sound, 5.0: sound}, until=8.0))
    with wave.open(str(path)) as reader:
        assert (reader.getframerate(), reader.getnchannels(), reader.getsampwidth()) == (48_000, 1, 2)
    timeline = read_wav(path).samples
    assert timeline.size / SAMPLE_RATE == pytest.approx(8.0, abs=0.021)
    for second in (1.0, 5.0):
        start = round(second * SAMPLE_RATE)
        assert not timeline[start - SAMPLE_RATE // 2 : start - 1].any()
        begin = start + np.flatnonzero(timeline[start : start + SAMPLE_RATE])[0] - 1
        assert begin - start < 0.05 * SAMPLE_RATE
        assert np.array_equal(timeline[begin : begin + sound.size], sound)


def test_the_output_is_readable_at_any_time(tmp_path: Path):
    path = tmp_path / "reply.wav"

    async def main() -> list[float]:
        playout, sink = PlayoutBuffer(), WavSink(path)
        await sink.open(playout)
        with wave.open(str(path)) as reader:
            lengths = [float(reader.getnframes())]
        for _ in range(3):
            await asyncio.sleep(1.001)
            lengths.append(read_wav(path).samples.size / SAMPLE_RATE)
        await sink.close()
        return lengths

    assert run_skipping(main()) == pytest.approx([0, 1, 2, 3], abs=0.021)


@pytest.mark.row("B12")
@pytest.mark.parametrize(("name", "reason"), [("no/such/dir.wav", "no such file"), (".", "is a directory")])
def test_an_unwritable_output_is_refused_before_anything_starts(tmp_path: Path, name: str, reason: str):
    with pytest.raises(ConfigError, match=f"cannot write .*{reason}"):
        WavSink(tmp_path / name)


def test_an_output_that_was_never_opened_leaves_no_file_and_spoils_none(tmp_path: Path, wav: Path):
    before = wav.read_bytes()
    WavSink(wav)
    WavSink(tmp_path / "new.wav")
    assert wav.read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == [wav.name]


def test_a_full_disk_ends_the_file_not_the_talk(tmp_path: Path, caplog):
    path = tmp_path / "reply.wav"
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
    try:
        run_skipping(record(path, {0.5: pcm16(tone(1.0))}, until=4.0))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert caplog.text.count("cannot write") == 1
    assert read_wav(path).samples.size > 45_000
