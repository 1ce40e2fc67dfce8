from __future__ import annotations

import stat
from pathlib import Path

import pytest

from couchvoice.audio import devices, permission
from couchvoice.audio.devices import find_input
from couchvoice.audio.microphone import Microphone
from couchvoice.audio.permission import is_capture_forbidden, is_denial, microphone_hint
from couchvoice.errors import MicrophoneDenied
from tests.audio.fake_cards import DENIED, GONE, HOST_ERROR, FakeCard


@pytest.mark.row("B9")
@pytest.mark.parametrize(
    ("platform", "where"),
    [("darwin", "Privacy & Security > Microphone"), ("win32", "Let desktop apps"), ("linux", 'group "audio"')],
)
def test_each_system_has_its_hint(platform: str, where: str):
    assert where in microphone_hint(platform)


@pytest.mark.parametrize(
    ("arguments", "denied"),
    [
        (("Unanticipated host error", HOST_ERROR, DENIED), True),
        (("Unanticipated host error", HOST_ERROR, (2, -2147024891, "")), True),
        (("Unanticipated host error", HOST_ERROR, (0, 7, "Operation not permitted")), True),
        (("Unanticipated host error", HOST_ERROR, GONE), False),
        (("Unanticipated host error", HOST_ERROR), False),
        (("Device unavailable", -9985), False),
        ((), False),
    ],
)
def test_a_denial_is_told_from_other_failures_by_the_systems_own_error(arguments: tuple[object, ...], denied: bool):
    assert is_denial(Exception(*arguments)) is denied


def test_devices_that_nobody_may_open_are_forbidden(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    assert not is_capture_forbidden(tmp_path / "none")
    (tmp_path / "pcmC0D0p").touch()
    assert not is_capture_forbidden(tmp_path)
    capture = tmp_path / "pcmC0D0c"
    capture.touch()
    assert not is_capture_forbidden(tmp_path)
    # Who runs the tests may be root, whom no mode keeps out.
    monkeypatch.setattr(permission.os, "access", lambda path, _: bool(stat.S_IMODE(path.stat().st_mode)))
    capture.chmod(0)
    assert is_capture_forbidden(tmp_path)


@pytest.mark.row("B9")
def test_where_the_system_hides_the_microphones_the_error_says_who_may_open_them(install, monkeypatch):
    install(FakeCard("hall", outputs=2))
    monkeypatch.setattr(devices, "is_capture_forbidden", lambda: True)
    with pytest.raises(MicrophoneDenied, match="may not be used"):
        find_input()


@pytest.mark.row("B9")
async def test_a_microphone_that_may_not_be_opened_says_where_to_allow_it(install):
    install(FakeCard("headset", inputs=1, denied=True))
    with pytest.raises(MicrophoneDenied) as denied:
        await Microphone().open()
    assert denied.value.code == "mic_permission_denied"
    assert microphone_hint() in str(denied.value)
    assert not denied.value.retryable
