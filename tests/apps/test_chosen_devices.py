"""Which devices a talk gets, on a fake sound system."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from couchvoice.apps.device_list import device_lines
from couchvoice.apps.device_words import sentence_of_device
from couchvoice.apps.exit_status import NO_AUDIO, exit_status
from couchvoice.apps.remembered_devices import RememberedDevices
from couchvoice.apps.sound import sink_of, source_of
from couchvoice.apps.talk_options import TalkOptions
from couchvoice.audio.microphone import Microphone
from couchvoice.audio.sink import NullSink
from couchvoice.audio.speaker import Speaker
from couchvoice.core.notices import DeviceChanged
from couchvoice.errors import DeviceNotFound, DeviceUnavailable, MicrophoneDenied
from tests.audio.fake_cards import FakeCard

BUILT_IN = FakeCard("built-in", inputs=1, outputs=2)
JABRA = FakeCard("Jabra 510", inputs=1, outputs=1)


class Hints:
    """A Screen that keeps what it is told."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def show(self, notice: object) -> None: ...

    def show_error(self, error: object) -> None: ...

    def show_summary(self, summary: object) -> None: ...

    def show_hint(self, text: str) -> None:
        self.said.append(text)


def chosen(tmp_path: Path, *, wav: Path | None = None, **options: object) -> tuple[object, object, list[str]]:
    screen, remembered = Hints(), RememberedDevices(tmp_path)
    given = TalkOptions(**options)  # type: ignore[arg-type]
    return source_of(given, wav, screen, remembered), sink_of(given, wav, screen, remembered), screen.said


def selectors(tmp_path: Path, **options: object) -> tuple[str | None, str | None, list[str]]:
    microphone, speaker, said = chosen(tmp_path, **options)
    assert isinstance(microphone, Microphone)
    assert isinstance(speaker, Speaker)
    return microphone._card._selector, speaker._card._selector, said


@pytest.mark.row("B8")
def test_the_devices_that_were_named_last_are_those_of_the_next_talk_and_it_is_said(install, tmp_path: Path):
    install(BUILT_IN, JABRA)
    assert selectors(tmp_path) == (None, None, [])
    assert selectors(tmp_path, input="jabra", output="1") == ("jabra", "1", [])
    microphone, speaker, said = selectors(tmp_path)
    assert (microphone, speaker) == ("Jabra 510", "Jabra 510")
    assert 'microphone: "Jabra 510", as in the last talk' in said[0]
    assert "--output default" in said[1]
    assert selectors(tmp_path, input="default")[:2] == (None, "Jabra 510")
    assert selectors(tmp_path)[0] is None


@pytest.mark.row("B8")
def test_a_remembered_device_that_is_away_is_no_error_and_not_forgotten(install, tmp_path: Path):
    install(BUILT_IN, JABRA)
    selectors(tmp_path, input="jabra")
    install(BUILT_IN)
    microphone, _, said = selectors(tmp_path)
    assert microphone is None
    assert said == ['the microphone "Jabra 510" of the last talk is not there: "built-in" is used']
    install(BUILT_IN, JABRA)
    assert selectors(tmp_path)[0] == "Jabra 510"


@pytest.mark.row("B8", "B9")
@pytest.mark.parametrize("options", [{"input": "Sennheiser"}, {"output": "Sennheiser"}])
def test_a_device_that_is_not_there_is_an_error_that_lists_the_others(install, tmp_path: Path, options: dict[str, str]):
    install(BUILT_IN, JABRA)
    with pytest.raises(DeviceNotFound, match="there are: 0 built-in, 1 Jabra 510"):
        chosen(tmp_path, **options)


@pytest.mark.row("M6")
def test_whoever_speaks_gets_a_loudspeaker_that_may_still_come(install, tmp_path: Path):
    install(FakeCard("headset", inputs=1))
    _, speaker, _ = chosen(tmp_path, volume=150.0)
    assert isinstance(speaker, Speaker)
    assert speaker.volume == 150.0


@pytest.mark.row("B9")
@pytest.mark.parametrize(
    "error", [DeviceNotFound("input", None), MicrophoneDenied("why", "hint"), DeviceUnavailable("open", "why")]
)
def test_without_a_microphone_the_exit_status_says_so(error: Exception):
    assert exit_status(error, was_ready=False, debts_paid=True) == NO_AUDIO  # type: ignore[arg-type]


@pytest.mark.row("B8")
def test_the_list_marks_defaults_and_the_last_choice_for_people_and_for_programs(install, tmp_path: Path):
    install(BUILT_IN, JABRA)
    RememberedDevices(tmp_path).remember("input", "Jabra 510")
    assert list(device_lines(tmp_path, as_json=False)) == [
        "*   0  built-in  (1 in, 2 out, 48000 Hz)",
        "    1  Jabra 510  (1 in, 1 out, 48000 Hz)  input of the last talk",
    ]
    built_in, jabra = (json.loads(line) for line in device_lines(tmp_path, as_json=True))
    assert (built_in["default_for"], built_in["remembered_for"]) == (["input", "output"], [])
    assert (jabra["name"], jabra["index"], jabra["remembered_for"]) == ("Jabra 510", 1, ["input"])


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (DeviceChanged("output", "missing", None, "no output device"), "until there is a loudspeaker (no output"),
        (DeviceChanged("input", "lost", "Jabra"), 'the microphone "Jabra" is gone: silence is sent until'),
        (DeviceChanged("output", "replaced", "hall"), 'the loudspeaker "hall" is used until then'),
        (DeviceChanged("output", "restored", "Jabra"), 'the loudspeaker "Jabra" is used'),
        (DeviceChanged("input", "silent", "Jabra"), "nothing but silence. Is it switched off, or not allowed? "),
    ],
)
def test_what_happens_to_a_device_is_said_in_a_sentence(change: DeviceChanged, said: str):
    assert said in sentence_of_device(change)


def test_a_wav_talk_on_a_machine_without_a_loudspeaker_says_how_to_keep_its_sound(install, tmp_path: Path):
    install(FakeCard("headset", inputs=1))
    screen = Hints()
    sink = sink_of(TalkOptions(input="x.wav"), Path("x.wav"), screen, RememberedDevices(tmp_path))
    assert isinstance(sink, NullSink)
    assert "--output FILE.wav keeps it" in screen.said[0]
