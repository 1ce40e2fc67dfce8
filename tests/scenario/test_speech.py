"""The sound of what a script says, and what the local server knows of it."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from couchvoice.audio.wav import read_wav
from couchvoice.local.engines.recordings import load_recordings
from couchvoice.scenario.script_file import read_scenarios
from couchvoice.scenario.speech import Speech, prepared_speech

FIXTURES = Path(__file__).parent.parent.parent / "fixtures"
STORY = "I had a long day. My brother called, and he was angry! Do you know why?"


async def prepared(folder: Path, steps: str) -> Speech:
    (folder / "talk.yaml").write_text(f"steps: {steps}")
    (scenario,) = read_scenarios(folder / "talk.yaml")
    (folder / "made").mkdir()
    return await prepared_speech(scenario, folder / "made")


async def test_several_sentences_are_one_utterance_with_their_text(tmp_path: Path) -> None:
    speech = await prepared(tmp_path, f"[{{say: {{text: {STORY!r}}}}}]")
    assert [recording.text for recording in load_recordings(speech.recordings)] == [STORY]
    assert speech.unknown == []


async def test_what_is_said_twice_is_made_once_and_louder_is_louder(tmp_path: Path) -> None:
    speech = await prepared(
        tmp_path, "[{say: Good morning.}, {say: Good morning.}, {say: {text: Good morning., gain_db: -20}}]"
    )
    once, twice, quietly = speech.sounds.values()
    assert once is twice
    assert np.abs(quietly.astype(int)).max() == pytest.approx(np.abs(once.astype(int)).max() / 10, abs=1)
    # The server is to know it at its own loudness.
    assert len(speech.recordings) == 2


async def test_what_is_too_loud_is_clipped_and_does_not_turn_over(tmp_path: Path) -> None:
    speech = await prepared(tmp_path, "[{say: Good morning.}, {say: {text: Good morning., gain_db: 20}}]")
    normal, loud = speech.sounds.values()
    assert np.abs(loud.astype(int)).max() == np.iinfo(np.int16).max
    assert not np.any(np.sign(normal) * np.sign(loud) < 0)


async def test_a_wav_is_known_where_its_text_stands_beside_it(tmp_path: Path) -> None:
    for name in ("barge-in.wav", "barge-in.txt"):
        shutil.copy(FIXTURES / name, tmp_path)
    shutil.copy(FIXTURES / "two-tools.wav", tmp_path / "untold.wav")
    speech = await prepared(tmp_path, "[{say: barge-in.wav}, {say: untold.wav}]")
    assert [path.name for path in speech.recordings] == ["barge-in.wav"]
    assert [path.name for path in speech.unknown] == ["untold.wav"]
    assert np.array_equal(speech.sounds["$.steps[0].say"], read_wav(FIXTURES / "barge-in.wav").samples)
