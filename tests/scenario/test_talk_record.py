"""The record of a talk as a file."""

import json
import zipfile

import numpy as np
import pytest

from couchvoice.errors import ConfigError
from couchvoice.scenario.talk_record import (
    Check,
    Interruption,
    RawEvent,
    State,
    Step,
    TalkRecord,
    ToolSpan,
    Trouble,
    TurnEntry,
    Words,
    load_talk,
)

ENTRIES = [
    State(0.0, "connecting"),
    Step(0.5, "say hello.wav", "greeting.yaml:3"),
    RawEvent(0.6, "provider", '{"type":"session.created"}'),
    Words(1.0, "user", "Hello."),
    ToolSpan(1.5, "show_memory_status", "call_1", "completed", until=1.7, arguments="{}", output={"count": 0}),
    Interruption(2.0, None),
    Trouble(2.5, "turn_failed", "turn 1 cannot be sent"),
    TurnEntry(3.0, 1, "Hello.", "Hi.", "completed", True, ("show_memory_status",), {"response_ms": 512.0}),
    Check(3.5, "assistant text", False, "contains 'Bonjour'", "Hi.", "greeting.yaml:4"),
]


def record_of_everything() -> TalkRecord:
    said = (np.sin(np.arange(48_123) / 20) * 9000).astype(np.int16)
    return TalkRecord(
        name="greeting",
        began="2026-11-29T20:00:00+00:00",
        clock="media",
        speed=None,
        outcome="failed",
        error="one expectation",
        entries=list(ENTRIES),
        figures={"response_ms": [512.0, 600.5]},
        said=said,
        heard=said[:777] // 2,
    )


@pytest.mark.row("P7")
def test_a_saved_record_comes_back_sample_for_sample_and_entry_for_entry(tmp_path):
    record = record_of_everything()
    record.save(tmp_path / "talk.zip")
    again = load_talk(tmp_path / "talk.zip")
    assert again.entries == ENTRIES
    for name in ("name", "began", "clock", "speed", "outcome", "error", "figures"):
        assert getattr(again, name) == getattr(record, name)
    assert np.array_equal(again.said, record.said)
    assert np.array_equal(again.heard, record.heard)


def test_a_talk_that_never_began_is_a_record_too(tmp_path):
    TalkRecord("nothing", "2026-11-29T20:00:00+00:00", outcome="broken").save(tmp_path / "talk.zip")
    again = load_talk(tmp_path / "talk.zip")
    assert (again.said.size, again.heard.size, again.entries, again.seconds) == (0, 0, [], 0.0)


def test_it_is_as_long_as_what_lasted_longest():
    record = record_of_everything()
    assert record.seconds == 3.5
    record.entries.append(ToolSpan(3.6, "slow", "call_2", "completed", until=9.0))
    assert record.seconds == 9.0


def test_a_file_that_is_no_record_says_so(tmp_path):
    record_of_everything().save(tmp_path / "talk.zip")
    whole = (tmp_path / "talk.zip").read_bytes()
    for content in (b"", b"no zip at all", whole[: len(whole) // 2]):
        (tmp_path / "broken.zip").write_bytes(content)
        with pytest.raises(ConfigError, match=r"broken\.zip: it is no record of a talk, or it is damaged"):
            load_talk(tmp_path / "broken.zip")
    with pytest.raises(ConfigError, match="no such file"):
        load_talk(tmp_path / "missing.zip")


def test_a_record_of_tomorrow_asks_for_a_newer_program(tmp_path):
    with zipfile.ZipFile(tmp_path / "talk.zip", "w") as archive:
        archive.writestr("talk.json", json.dumps({"format": 2, "novelty": True}))
        archive.writestr("said.flac", b"")
        archive.writestr("heard.flac", b"")
    with pytest.raises(ConfigError, match="format 2, and this couchvoice knows 1: update it"):
        load_talk(tmp_path / "talk.zip")


def test_a_record_that_cannot_be_written_says_where(tmp_path):
    with pytest.raises(ConfigError, match=r"cannot write .*nowhere"):
        record_of_everything().save(tmp_path / "nowhere" / "talk.zip")
