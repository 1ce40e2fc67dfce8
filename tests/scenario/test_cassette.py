"""Cassettes: a talk is recorded over WebRTC, and played to the same client over WebRTC."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from couchvoice.cassette import Cassette, load_cassette
from couchvoice.client.endpoints import Endpoints
from couchvoice.core.notices import TurnRecorded
from couchvoice.embedded import embedded_ends, new_deck
from couchvoice.errors import ConfigError, SdpExchangeError
from couchvoice.scenario import media_clock
from couchvoice.scenario.collect import SHIPPED
from couchvoice.scenario.recording import cassette_of
from couchvoice.scenario.runner import run_scenario
from couchvoice.scenario.script_file import read_scenarios
from couchvoice.scenario.talk_record import RawEvent, State, TalkRecord, ToolSpan, Trouble, TurnEntry
from couchvoice.scenario.talk_tap import TalkTap
from couchvoice.settings import load_settings
from tests.client.stage import ANSWER as ANSWERED
from tests.client.stage import QUESTION as ASKED
from tests.client.stage import talking
from tests.scenario.held import hold_talk, hold_talk_at

pytestmark = [pytest.mark.row("P6"), pytest.mark.timeout(60)]

FIXTURES = Path(__file__).parents[2] / "fixtures"
GREETING, MEMORY = "Good morning.", "Is memory on?"
THREAD = "thread_of_a_person_who_counts_on_us"


async def _replayed(cassette: Cassette, *typed: str, **options: Any) -> TalkRecord:
    async with embedded_ends(load_settings(), replay=new_deck(cassette)) as ends:
        return await hold_talk_at(Endpoints(**ends._asdict()), *typed, **options)


def recorded(*typed: str, **options: Any) -> TalkRecord:
    return media_clock.run(hold_talk(*typed, thread=THREAD, **options))


def replayed(cassette: Cassette, *typed: str, **options: Any) -> TalkRecord:
    return media_clock.run(_replayed(cassette, *typed, **options))


def on_disk(record: TalkRecord, folder: Path) -> Cassette:
    """As it comes back from a file."""
    path = folder / "talk.cassette"
    cassette_of(record).save(path)
    return load_cassette(path)


def told(record: TalkRecord) -> list[tuple[str, str, str, tuple[str, ...]]]:
    """The turns, without what differs from talk to talk."""
    return [(turn.user_text, turn.assistant_text, turn.outcome, turn.tool_calls) for turn in record.of(TurnEntry)]


def kinds(record: TalkRecord) -> list[str]:
    return [json.loads(event.text)["type"] for event in record.of(RawEvent)]


def test_a_talk_with_a_tool_is_played_again_with_the_same_words_tools_events_and_sound(tmp_path):
    first = recorded(GREETING, MEMORY)
    again = replayed(on_disk(first, tmp_path), GREETING, MEMORY)
    assert again.outcome == "passed", again.error
    assert told(again) == told(first)
    assert kinds(again) == kinds(first)
    assert [tool.output for tool in again.of(ToolSpan)] == [tool.output for tool in first.of(ToolSpan)]
    loud = [np.abs(record.heard.astype(np.int32)).sum() for record in (first, again)]
    assert loud[1] == pytest.approx(loud[0], rel=0.1)


def test_a_spoken_talk_with_an_interruption_is_played_again_and_nobody_recognizes_anything(tmp_path):
    wav = FIXTURES / "barge-in.wav"
    first = recorded(wav=wav, turns=2)
    again = replayed(on_disk(first, tmp_path), wav=wav, turns=2)
    assert told(again) == told(first)
    assert [turn.outcome for turn in again.of(TurnEntry)] == ["interrupted", "completed"]
    assert again.figures["stop_ms"][0] < 200


def test_a_client_that_says_something_else_is_told_the_difference_and_hung_up_on(tmp_path):
    cassette = on_disk(recorded(GREETING), tmp_path)
    again = replayed(cassette, "Good evening.")
    assert again.outcome == "broken"
    (trouble,) = [each for each in again.of(Trouble) if each.code == "cassette_mismatch"]
    assert "conversation.item.create, which the cassette does not know" in trouble.message
    assert '-        "text": "Good morning.",' in trouble.message
    assert '+        "text": "Good evening.",' in trouble.message


def test_the_difference_arrives_in_bad_weather_too(tmp_path):
    """The goodbye overtook it: of the cassette's reason nothing was told."""
    script = tmp_path / "asked.yaml"
    asked = "weather: {delay: 0.06, jitter: 0.02}\nsteps:\n  - type: %s\n  - expect: {tools: [show_memory_status]}\n"
    script.write_text(asked % MEMORY)
    cassette = on_disk(run_scenario(read_scenarios(script)[0], load_settings()).record, tmp_path)
    script.write_text(asked % "Is memory off?")
    outcome = run_scenario(read_scenarios(script)[0], load_settings(), replay=cassette).outcome
    assert outcome.mismatch is not None
    assert '+        "text": "Is memory off?",' in outcome.mismatch


def test_a_client_that_says_nothing_ends_the_play_and_does_not_hang(tmp_path):
    cassette = on_disk(recorded(GREETING), tmp_path)
    again = replayed(cassette, turns=1)
    (trouble,) = [each for each in again.of(Trouble) if each.code == "cassette_mismatch"]
    assert "the client sent conversation.item.create, and this client has not for 15 s" in trouble.message


def test_a_client_that_goes_on_where_the_cassette_ends_is_told_so(tmp_path):
    cassette = on_disk(recorded(GREETING), tmp_path)
    again = replayed(cassette, GREETING, MEMORY)
    assert told(again)[0][0] == GREETING
    (trouble,) = [each for each in again.of(Trouble) if each.code == "cassette_mismatch"]
    assert trouble.message.endswith("which the cassette does not know: it expects nothing more")


def test_nothing_secret_and_nobody_s_name_is_on_it(tmp_path):
    canaries = {
        "key": "sk-canary-0123456789abcdef",
        "secret": "ek_canary-0123456789abcdef",
        "jwt": "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJjYW5hcnkifQ.c2lnbmF0dXJlLWNhbmFyeQ",
        "user": "canary@example.org",
    }
    record = recorded(f"{GREETING} {' '.join(canaries.values())}", keep_back={"user": canaries["user"]})
    event = {"type": "session.updated", "session": {"client_secret": {"value": "canary-value"}}}
    record.entries.append(RawEvent(record.seconds, "provider", json.dumps(event)))
    path = tmp_path / "talk.cassette"
    cassette_of(record).save(path)
    with zipfile.ZipFile(path) as archive:
        everything = b"".join(archive.read(name) for name in archive.namelist()).decode("utf-8", "replace")
    assert "canary" not in everything
    assert THREAD not in everything
    assert "⟨thread⟩" in everything  # the instructions name it
    assert GREETING in everything
    ids = {moment.event["event_id"] for take in load_cassette(path).takes for moment in take.moments[:5]}
    assert ids == {f"event_{number}" for number in range(1, 6)}


def test_a_file_that_is_no_cassette_says_so(tmp_path):
    path = tmp_path / "talk.cassette"
    whole = on_disk(talk_of_nothing(), tmp_path)
    assert whole.name == "nothing"
    content = path.read_bytes()
    for damaged in (b"", b"no zip", content[: len(content) // 2], content.replace(b"cassette.json", b"another.jsonx")):
        path.write_bytes(damaged)
        with pytest.raises(ConfigError, match=r"talk\.cassette: it is none, or it is damaged; record it again"):
            load_cassette(path)
    with pytest.raises(ConfigError, match="no such file"):
        load_cassette(tmp_path / "missing.cassette")


def test_a_cassette_of_tomorrow_asks_for_a_newer_program(tmp_path):
    path = tmp_path / "talk.cassette"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("cassette.json", json.dumps({"format": 2}))
        archive.writestr("packets.msgpack", b"")
        archive.writestr("said.ogg", b"")
    with pytest.raises(ConfigError, match="it is of format 2, and this couchvoice knows 1: update couchvoice"):
        load_cassette(path)


def test_who_calls_a_cassette_of_a_talk_that_never_began_is_refused(tmp_path):
    record = TalkRecord("nothing", "2026-11-29T20:00:00+00:00", outcome="broken", error="no such host")
    with pytest.raises(SdpExchangeError, match="the cassette holds no call") as caught:
        replayed(on_disk(record, tmp_path), GREETING)
    assert caught.value.status == 409


def test_a_talk_that_was_connected_again_is_played_again_call_by_call(tmp_path):
    (scenario,) = read_scenarios(SHIPPED / "t08-restart.yaml")
    first = run_scenario(scenario, load_settings())
    assert first.outcome.passed, first.outcome.error
    cassette = on_disk(first.record, tmp_path)
    assert len(cassette.takes) == 2
    again = run_scenario(scenario, load_settings(), replay=cassette)
    assert again.outcome.passed, again.outcome.error
    assert told(again.record) == told(first.record)


def talk_of_nothing() -> TalkRecord:
    return TalkRecord("nothing", "2026-11-29T20:00:00+00:00", entries=[State(0.5, "warming")])


async def _foreign_talk() -> TalkRecord:
    """With an end that is none of ours, which names everything in its own way."""
    tap = TalkTap("foreign")
    tap.begin()
    async with talking(tap=tap) as stage:
        stage.hold_turn()
        await stage.told(TurnRecorded)
        for notice in stage.notices:
            tap.notice(notice)
    # The session has told of its states late here; the channel was open before the first event.
    record = tap.finish("passed")
    opened = min(event.at for event in record.of(RawEvent))
    record.entries = [State(opened, "warming"), *(entry for entry in record.entries if isinstance(entry, RawEvent))]
    return record


async def test_a_talk_with_a_provider_that_is_not_ours_is_played_by_ours(tmp_path):
    cassette = on_disk(await _foreign_talk(), tmp_path)
    again = await _replayed(cassette, turns=1)
    assert [(turn.user_text, turn.assistant_text) for turn in again.of(TurnEntry)] == [(ASKED, ANSWERED)]
