from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from couchvoice.apps.remembered_devices import FILE_NAME, RememberedDevices


@pytest.mark.row("B8")
def test_what_was_chosen_is_there_in_the_next_process_until_the_default_is_chosen(tmp_path: Path):
    RememberedDevices(tmp_path / "state").remember("input", "Jabra")
    RememberedDevices(tmp_path / "state").remember("output", "hall")
    remembered = RememberedDevices(tmp_path / "state")
    assert (remembered.name("input"), remembered.name("output")) == ("Jabra", "hall")
    remembered.remember("input", None)
    assert (remembered.name("input"), remembered.name("output")) == (None, "hall")
    assert [path.name for path in (tmp_path / "state").iterdir()] == [FILE_NAME]


def test_the_state_folder_is_its_owners_alone_also_when_the_devices_are_the_first_in_it(tmp_path: Path):
    folder = tmp_path / "above" / "state"
    before = os.umask(0)
    try:
        RememberedDevices(folder).remember("input", "Jabra")
    finally:
        os.umask(before)
    assert [stat.S_IMODE(path.stat().st_mode) for path in (folder, folder / FILE_NAME)] == [0o700, 0o600]


@pytest.mark.parametrize("content", ["", "{", "[]", '{"input": 7}', "\xff"])
def test_a_file_that_is_none_of_ours_is_as_if_nothing_had_been_chosen(tmp_path: Path, content: str):
    (tmp_path / FILE_NAME).write_text(content, encoding="latin-1")
    remembered = RememberedDevices(tmp_path)
    assert remembered.name("input") is None
    remembered.remember("input", "Jabra")
    assert remembered.name("input") == "Jabra"


def test_a_state_directory_that_cannot_be_is_no_reason_not_to_talk(tmp_path: Path):
    (tmp_path / "file").touch()
    RememberedDevices(tmp_path / "file").remember("input", "Jabra")
    assert RememberedDevices(tmp_path / "file").name("input") is None
