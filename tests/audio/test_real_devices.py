from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from couchvoice.audio.frames import FRAME_SAMPLES, SAMPLE_RATE
from tests.audio.pulse import PROBE_TIMEOUT, ROOT, SoundSystem, start_probe
from tests.audio.tones import tone, wav_bytes


def told(probe: subprocess.Popen[str], say: str = "") -> dict[str, object]:
    """The probe's answer. It must end well, and without a traceback."""
    out, err = probe.communicate(say, timeout=PROBE_TIMEOUT)
    assert probe.returncode == 0, err
    assert "Traceback" not in err
    return json.loads(out.splitlines()[-1])


@pytest.mark.timeout(40)
def test_what_is_said_into_the_microphone_comes_out_in_frames_of_20_ms(sound: SoundSystem, tmp_path: Path):
    path = tmp_path / "tone.wav"
    path.write_bytes(wav_bytes(tone(0.6), rate=SAMPLE_RATE))
    answer = told(sound.probe("hear", str(path)))
    assert (answer["sizes"], answer["rates"], answer["lost"]) == ([FRAME_SAMPLES], [SAMPLE_RATE], 0)
    assert answer["loud_seconds"] == pytest.approx(0.6, abs=0.2)
    assert answer["hertz"] == pytest.approx(440, abs=5)


@pytest.mark.timeout(40)
def test_what_the_speaker_plays_is_what_was_pushed(sound: SoundSystem):
    answer = told(sound.probe("speak"))
    assert answer["loud_seconds"] == pytest.approx(1.0, abs=0.2)
    assert answer["hertz"] == pytest.approx(440, abs=5)
    assert answer["played_ms"] == 1000


@pytest.mark.timeout(40)
def test_when_the_daemon_dies_silence_goes_on_in_real_time_and_closing_is_quick(fragile_sound: SoundSystem):
    probe = fragile_sound.probe("outlive")
    assert probe.stdout is not None  # it is a pipe
    assert probe.stdout.readline() == "ready\n"
    fragile_sound.kill()
    answer = told(probe, "killed\n")
    assert answer["sizes"] == [FRAME_SAMPLES]
    assert 0.7 < float(str(answer["seconds"])) < 2.0
    assert float(str(answer["closing_seconds"])) < 0.5


@pytest.mark.timeout(40)
def test_devices_are_found_by_name_in_any_case_and_by_index_and_refused_with_the_list(sound: SoundSystem):
    answer = told(sound.probe("choose", "couch_mic", "COUCH_LOOP", "Jabra"))
    names, inputs, outputs = answer["names"], answer["inputs"], answer["outputs"]
    assert isinstance(names, list)
    assert {"couch_mic", "couch_loop", "couch_speaker", "couch_micfeed"} <= set(names)
    assert inputs[:2] == ["couch_mic", "couch_loop"]
    assert inputs[2].startswith('refused: no input device matches "Jabra": run "couchvoice devices"')
    assert outputs[2].startswith('refused: no output device matches "Jabra"')
    assert "couch_mic" in inputs[2]
    assert answer["defaults"] == ["default", "default"]


def test_without_portaudio_one_line_names_the_package_and_wav_files_play_on():
    answer = told(start_probe("refuse", environment=os.environ | {"PYTHONPATH": str(ROOT)}))
    assert len(answer["said"]) == 2
    for line in answer["said"]:
        assert "libportaudio2" in line
        assert "\n" not in line
    assert answer["wav_plays"]
