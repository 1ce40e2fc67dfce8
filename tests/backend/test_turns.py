"""POST /turn and /end: what is kept, once and in order, and what is not kept at all."""

from __future__ import annotations

import asyncio
import logging
import stat
from typing import Any

import pytest
from sqlalchemy import create_engine, text

from couchvoice.backend.end_reply import INCOGNITO_END, NO_SUMMARY
from tests.backend.ends import BackendEnd, error_code

PHRASE = "the zebra under the piano hums"
PERSISTENT = {"memory_mode": "persistent"}


def rows(backend: BackendEnd, query: str) -> list[dict[str, Any]]:
    engine = create_engine(f"sqlite:///{backend.database}")
    try:
        with engine.connect() as connection:
            return [dict(row) for row in connection.execute(text(query)).mappings()]
    finally:
        engine.dispose()


@pytest.mark.row("I1", "I5")
async def test_a_turn_is_recorded_with_everything_that_belongs_to_it(backend: BackendEnd) -> None:
    call = {"tool_name": "lookup_crisis_resources", "status": "failed", "output": {}, "error": "tool_timeout"}
    first = await backend.turn(
        user_text="hello",
        assistant_text="Hi, how are",
        outcome="interrupted",
        heard_text="Hi,",
        tool_calls=[call],
        client_turn_id="c1",
        timings={"response_ms": 412},
        **PERSISTENT,
    )
    assert first.json() == {"recorded": True, "thread_id": "t1", "message_count": 2}
    second = await backend.turn(user_text="", assistant_text="Are you there?", **PERSISTENT)
    assert second.json()["message_count"] == 3
    kept, later = rows(backend, "SELECT * FROM turns ORDER BY number")
    assert (kept["number"], later["number"]) == (1, 2)
    assert (kept["user_text"], kept["assistant_text"], kept["heard_text"]) == ("hello", "Hi, how are", "Hi,")
    assert kept["outcome"] == "interrupted"
    assert '"tool_timeout"' in kept["tool_calls"]
    assert "412" in kept["timings"]
    assert kept["route"] == "crisis"


async def test_the_same_turn_again_gets_the_stored_reply_and_no_second_row(backend: BackendEnd) -> None:
    turn = {"user_text": "one", "assistant_text": "two", "client_turn_id": "c1", **PERSISTENT}
    first = await backend.turn(**turn)
    await backend.turn(user_text="three", client_turn_id="c2", **PERSISTENT)
    again = await backend.turn(**turn)
    assert again.json() == first.json()
    assert len(rows(backend, "SELECT * FROM turns")) == 2


async def test_the_same_client_turn_id_with_another_body_is_a_conflict(backend: BackendEnd) -> None:
    await backend.turn(user_text="one", client_turn_id="c1", **PERSISTENT)
    other = await backend.turn(user_text="another", client_turn_id="c1", **PERSISTENT)
    assert other.status_code == 409
    assert error_code(other) == "turn_conflict"
    assert [row["user_text"] for row in rows(backend, "SELECT user_text FROM turns")] == ["one"]
    elsewhere = await backend.turn("t2", user_text="another", client_turn_id="c1", **PERSISTENT)
    assert elsewhere.json()["recorded"] is True


async def test_a_call_of_which_only_the_name_is_told_has_completed(backend: BackendEnd) -> None:
    reply = await backend.turn(user_text="one", tool_calls=[{"tool_name": "answer_grounded_lookup"}], **PERSISTENT)
    assert reply.json()["recorded"] is True
    turns = (await backend.http.get("/api/threads/t1/history", params={"thread_id": "t1"})).json()["turns"]
    assert [(turn["route"], turn["tool_calls"][0]["status"]) for turn in turns] == [("grounded_lookup", "completed")]


@pytest.mark.parametrize("mode", ["incognito", "persistent"])
async def test_an_empty_turn_is_refused(backend: BackendEnd, mode: str) -> None:
    response = await backend.turn(user_text=" ", assistant_text="", memory_mode=mode)
    assert response.status_code == 422
    assert error_code(response) == "empty_turn"


async def test_turns_sent_at_once_are_numbered_one_after_the_other(backend: BackendEnd) -> None:
    replies = await asyncio.gather(
        *(backend.turn(f"t{n % 2}", user_text=f"turn {n}", **PERSISTENT) for n in range(40)),
        *(backend.turn("t0", user_text="same", client_turn_id="c1", **PERSISTENT) for _ in range(4)),
    )
    assert {reply.status_code for reply in replies} == {200}
    for thread, count in (("t0", 21), ("t1", 20)):
        numbers = [row["number"] for row in rows(backend, f"SELECT number FROM turns WHERE thread_id = '{thread}'")]
        assert sorted(numbers) == list(range(1, count + 1))


async def test_a_thread_of_one_owner_is_not_found_by_another(backend: BackendEnd) -> None:
    await backend.turn(user_text="mine", user_id="ada", **PERSISTENT)
    for foreign in (
        await backend.turn(user_text="mine too", user_id="eve", **PERSISTENT),
        await backend.end(user_id="eve", **PERSISTENT),
    ):
        assert foreign.status_code == 404
        assert error_code(foreign) == "thread_not_found"
    assert (await backend.end(**PERSISTENT)).json()["finalized"] is True


@pytest.mark.row("K1")
async def test_an_incognito_turn_leaves_no_byte_and_the_same_scan_finds_a_persistent_one(backend: BackendEnd) -> None:
    token = (await backend.session("t1")).json()["session_token"]
    words = {"user_text": PHRASE, "assistant_text": f"You said: {PHRASE}", "heard_text": PHRASE}
    reply = await backend.turn("t1", token=token, **words)
    assert reply.json() == {"recorded": False, "thread_id": "t1", "message_count": 0}
    await backend.tool("show_memory_status", current_user_message=PHRASE)
    await backend.end("t1", token=token)
    assert not backend.data.exists()

    await backend.turn("t2", user_text="something else", **PERSISTENT)
    await backend.turn("t1", token=token, **words)
    assert PHRASE.encode() not in backend.bytes_on_disk()
    assert [row["id"] for row in rows(backend, "SELECT id FROM threads")] == ["t2"]

    await backend.turn("t2", **words, **PERSISTENT)
    assert PHRASE.encode() in backend.bytes_on_disk()


@pytest.mark.row("K1")
async def test_a_session_opened_incognito_cannot_be_escalated(backend: BackendEnd) -> None:
    token = (await backend.session("t1", memory_mode="incognito")).json()["session_token"]
    turn = await backend.turn("t1", token=token, user_text=PHRASE, **PERSISTENT)
    assert turn.json()["recorded"] is False
    status = await backend.tool("show_memory_status", "t1", token=token, **PERSISTENT)
    assert status.json()["output"]["memory_mode"] == "incognito"
    assert (await backend.end("t1", token=token, **PERSISTENT)).json()["detail"] == INCOGNITO_END
    assert not backend.data.exists()


@pytest.mark.row("K2")
async def test_an_incognito_end_is_not_finalized_even_when_the_thread_has_turns(backend: BackendEnd) -> None:
    await backend.turn(user_text="kept", **PERSISTENT)
    reply = (await backend.end()).json()
    assert reply["finalized"] is False
    assert reply["detail"] == INCOGNITO_END
    assert reply["summary"] is None
    assert rows(backend, "SELECT * FROM arcs") == []


@pytest.mark.row("J1")
async def test_end_gives_the_arc_and_the_second_call_the_same(backend: BackendEnd) -> None:
    opened = (await backend.session("t1", user_id="ada", **PERSISTENT)).json()
    token = opened["session_token"]
    await backend.turn(token=token, user_text="I am worried about my exam. I will call my brother.", **PERSISTENT)
    await backend.turn(token=token, user_text="I feel calmer now, thanks.", **PERSISTENT)
    first, second = await asyncio.gather(*(backend.end(token=token, **PERSISTENT) for _ in range(2)))
    reply = first.json()
    assert reply["finalized"] is True
    assert reply["turn_count"] == 2
    assert (reply["mood_opened"], reply["mood_closed"]) == ("anxious", "calm")
    assert reply["open_loops"] == ["I will call my brother."]
    assert reply["detail"] is None
    await backend.turn(token=token, user_text="A late turn.", **PERSISTENT)
    by_id = await backend.end(session_id=opened["session_id"], user_id="ada", **PERSISTENT)
    assert first.json() == second.json() == by_id.json()
    assert len(rows(backend, "SELECT * FROM arcs")) == 1


@pytest.mark.row("J1")
async def test_the_next_session_of_the_thread_has_its_own_arc(backend: BackendEnd) -> None:
    for session, words in (("rtc_a", "I can't sleep."), ("rtc_b", "My boss helps with the deadline.")):
        await backend.turn(user_text=words, **PERSISTENT)
        reply = (await backend.end(session_id=session, **PERSISTENT)).json()
        assert reply["turn_count"] == 1
        assert words in reply["summary"]


@pytest.mark.row("J1")
async def test_a_session_without_a_turn_is_too_short(backend: BackendEnd) -> None:
    nothing = (await backend.end(**PERSISTENT)).json()
    assert (nothing["finalized"], nothing["detail"]) == (False, NO_SUMMARY)
    assert not backend.data.exists()
    await backend.turn(user_text="hello", **PERSISTENT)
    assert (await backend.end(session_id="rtc_a", **PERSISTENT)).json()["finalized"] is True
    empty = (await backend.end(session_id="rtc_b", **PERSISTENT)).json()
    assert (empty["finalized"], empty["detail"]) == (False, NO_SUMMARY)


@pytest.mark.row("J1")
async def test_a_client_that_names_no_session_may_ask_twice_too(backend: BackendEnd) -> None:
    await backend.turn(user_text="hello", **PERSISTENT)
    first, second = [(await backend.end(**PERSISTENT)).json() for _ in range(2)]
    assert first == second
    assert first["finalized"] is True


async def test_directory_and_file_are_for_the_owner_only(backend: BackendEnd) -> None:
    await backend.turn(user_text="hello", **PERSISTENT)
    assert stat.S_IMODE(backend.data.stat().st_mode) == 0o700
    assert [stat.S_IMODE(path.stat().st_mode) for path in backend.data.iterdir()] == [0o600]


async def test_nothing_that_was_spoken_is_logged_at_any_level(
    backend: BackendEnd, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    opened = (await backend.session(**PERSISTENT)).json()
    token = opened["session_token"]
    await backend.turn(token=token, user_text=PHRASE, client_turn_id="c1", **PERSISTENT)
    await backend.turn(token=token, user_text=f"{PHRASE}!", client_turn_id="c1", **PERSISTENT)
    await backend.turn(token=token, user_text=PHRASE, outcome="odd", **PERSISTENT)
    await backend.tool("lookup_crisis_resources", token=token, current_user_message=PHRASE, **PERSISTENT)
    await backend.end(token=token, **PERSISTENT)
    assert caplog.records
    for private in (PHRASE, token, opened["client_secret"]):
        assert private not in caplog.text
