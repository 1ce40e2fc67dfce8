"""The doctor on machines that lack something. With real devices: tests/e2e/test_echo_loop.py."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from couchvoice.apps import doctor as doctors
from couchvoice.apps.doctor import doctor
from couchvoice.audio.opus import OpusUnavailable
from couchvoice.audio.portaudio import NO_PORTAUDIO
from couchvoice.errors import AudioDeviceError

README = Path(__file__).parents[2] / "README.md"


def failing(error: Exception) -> Callable[..., None]:
    def fail(*_arguments: object) -> None:
        raise error

    return fail


async def checks(capsys: pytest.CaptureFixture[str], *, status: int, echo: bool = False) -> dict[str, dict[str, str]]:
    assert await doctor(input=None, output=None, echo=echo, json=True) == status
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert lines[-1]["exit"] == status
    return {line["name"]: line for line in lines[:-1]}


async def test_without_portaudio_it_says_what_to_install_and_goes_on(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setattr(doctors, "portaudio", failing(AudioDeviceError(NO_PORTAUDIO)))
    found = await checks(capsys, status=3, echo=True)
    assert found["portaudio"]["status"] == found["devices"]["status"] == "fail"
    assert "libportaudio2" in found["portaudio"]["hint"]
    assert {found[name]["status"] for name in ("input", "output", "echo")} == {"skip"}
    assert found["libopus"]["status"] == "pass"


async def test_a_machine_without_devices_ends_as_a_talk_on_it_would(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setattr(doctors, "_check_portaudio", lambda: doctors.Check(name="portaudio", status="pass", detail=""))
    monkeypatch.setattr(doctors, "list_devices", list)
    found = await checks(capsys, status=3)
    assert found["devices"]["detail"] == "there is no sound device"


async def test_what_is_missing_of_the_libraries_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setattr(doctors, "portaudio", failing(AudioDeviceError(NO_PORTAUDIO)))
    monkeypatch.setattr(doctors, "opus_library", failing(OpusUnavailable("nothing there")))
    monkeypatch.setattr(doctors, "is_installed", lambda: False)
    found = await checks(capsys, status=3)
    assert (found["libopus"]["status"], found["libopus"]["detail"]) == ("fail", "not found: nothing there")
    assert (found["livekit"]["status"], "couchvoice[aec]" in found["livekit"]["hint"]) == ("skip", True)


async def test_for_people_a_hint_stands_under_its_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setattr(doctors, "portaudio", failing(AudioDeviceError(NO_PORTAUDIO)))
    assert await doctor(input=None, output=None, echo=False, json=False) == 3
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "fail  portaudio  no PortAudio library"
    assert lines[1].strip().startswith("→ install the system's package")


async def test_the_readme_names_each_check_and_no_other(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setattr(doctors, "portaudio", failing(AudioDeviceError(NO_PORTAUDIO)))
    table = README.read_text(encoding="utf-8").partition("| Check of `doctor` |")[2].partition("\n\n")[0]
    named = [name for row in table.splitlines() for name in re.findall(r"`([a-z]+)`", row.partition(" | ")[0])]
    assert named == list(await checks(capsys, status=3))
