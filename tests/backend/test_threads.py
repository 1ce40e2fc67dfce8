"""The threads API: what an owner has, read back whole, finalized and deleted; and nobody else's."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from couchvoice.backend import SqlStore
from couchvoice.backend.finalizer import Finalizer
from couchvoice.backend.tables import SCHEMA_VERSION
from tests.backend.ends import BackendEnd, error_code, running_backend
from tests.backend.test_finalizer import Summary

PERSISTENT = {"memory_mode": "persistent"}
PHRASE = "the zebra under the piano hums"


async def get(backend: BackendEnd, path: str, **query: Any) -> Any:
    response = await backend.http.get(f"/api/threads{path}", params=query)
    assert response.status_code == 200, response.text
    return response.json()


@pytest.mark.row("I2", "I3", "I7")
async def test_the_history_holds_every_field_that_a_turn_has(backend: BackendEnd) -> None:
    opened = (await backend.session("t1", user_id="ada", **PERSISTENT)).json()
    lookup = {"query": "how long is a marathon", "status": "verified"}
    call = {"tool_name": "answer_grounded_lookup", "status": "completed", "output": {"grounded_lookup": lookup}}
    await backend.turn(
        token=opened["session_token"],
        user_text="hello",
        assistant_text="Hi, how are",
        heard_text="Hi,",
        outcome="interrupted",
        route="grounded_lookup",
        response_style="supportive",
        tool_calls=[call],
        client_turn_id="c1",
        timings={"response_ms": 412},
        **PERSISTENT,
    )
    await backend.turn(token=opened["session_token"], user_text="bye", **PERSISTENT)
    history = await get(backend, "/t1/history", user_id="ada")
    first, second = history.pop("turns")
    assert history == {
        "thread_id": "t1",
        "guest": False,
        "schema_version": SCHEMA_VERSION,
        "turn_count": 2,
        "next": None,
    }
    assert first.pop("created_at").startswith("20")
    assert first == {
        "number": 1,
        "session_id": opened["session_id"],
        "client_turn_id": "c1",
        "channel": "voice",
        "transcript_kept": True,
        "messages": [
            {"role": "user", "content": "hello", "source": "voice"},
            {"role": "assistant", "content": "Hi, how are", "source": "voice"},
        ],
        "heard_text": "Hi,",
        "outcome": "interrupted",
        "route": "grounded_lookup",
        "response_style": "supportive",
        "tool_calls": [call | {"error": None}],
        "grounded_lookup": lookup,
        "diagnostics": {
            "voice_runtime": {"provider": "local", "model": "gpt-realtime-2.1"},
            "tool_names": ["answer_grounded_lookup"],
            "timings": {"response_ms": 412},
        },
    }
    assert (second["route"], second["grounded_lookup"], len(second["messages"])) == ("therapeutic", None, 1)


@pytest.mark.row("P24")
async def test_lists_and_histories_come_in_pages_with_a_bound(backend: BackendEnd) -> None:
    for n in range(5):
        await backend.turn(f"t{n}", user_text="hello", user_id="ada", **PERSISTENT)
        await backend.turn("t9", user_text=str(n), user_id="ada", **PERSISTENT)
    await backend.turn("guest", user_text="hello", **PERSISTENT)
    seen, place = [], {}
    while True:
        page = await get(backend, "", user_id="ada", limit=4, **place)
        seen += [thread["thread_id"] for thread in page["threads"]]
        if page["next"] is None:
            break
        place = {"before": page["next"]}
    assert seen == ["t4", "t3", "t2", "t1", "t9", "t0"]
    assert [thread["thread_id"] for thread in (await get(backend, ""))["threads"]] == ["guest"]
    assert (await get(backend, "", thread_id="guest"))["threads"][0]["guest"] is True
    page = await get(backend, "/t9/history", user_id="ada", limit=3)
    assert page["next"] == 3
    rest = await get(backend, "/t9/history", user_id="ada", limit=3, after=page["next"])
    assert ([turn["number"] for turn in rest["turns"]], rest["next"]) == ([4, 5], None)
    for path, query in (
        ("", {"limit": 201}),
        ("", {"before": "nonsense"}),
        ("", {"before": "2026\u0000"}),
        ("/t9/history", {"limit": 0}),
        ("/t9/history", {"after": 2**40}),
        ("/t9/history", {"user_id": "a\u0000"}),
    ):
        refusal = await backend.http.get(f"/api/threads{path}", params=query)
        assert (refusal.status_code, error_code(refusal)) == (422, "invalid_request"), query


@pytest.mark.row("P24")
async def test_another_owners_thread_is_not_found_whatever_is_asked(backend: BackendEnd) -> None:
    await backend.turn("t1", user_text=PHRASE, user_id="ada", **PERSISTENT)
    for query in ({"user_id": "eve"}, {}):
        for method, path in (("GET", "/history"), ("GET", "/status"), ("POST", "/end"), ("DELETE", "")):
            reply = await backend.http.request(method, f"/api/threads/t1{path}", params=query)
            assert (reply.status_code, error_code(reply)) == (404, "thread_not_found")
            nowhere = await backend.http.request(method, f"/api/threads/nowhere{path}", params=query)
            assert nowhere.json() == reply.json()
        assert (await get(backend, "", **query))["threads"] == []
    assert (await get(backend, "/t1/status", user_id="ada"))["turn_count"] == 1


@pytest.mark.row("P24")
@pytest.mark.parametrize("thread_id", ["t1", "a/b", "x/status", "ä ö", "50%"])
async def test_a_thread_may_have_any_name(backend: BackendEnd, thread_id: str) -> None:
    name = quote(thread_id, safe="")
    await backend.turn(thread_id, user_text="hello", **PERSISTENT)
    assert (await get(backend, f"/{name}/status"))["thread_id"] == thread_id
    assert (await get(backend, f"/{name}/history"))["thread_id"] == thread_id
    assert (await backend.http.post(f"/api/threads/{name}/end")).json()["finalized"] is True
    assert (await backend.http.delete(f"/api/threads/{name}")).json() == {"threads": 1, "turns": 1}
    assert (await backend.http.get(f"/api/threads/{name}/status")).status_code == 404


@pytest.mark.row("P24")
async def test_what_is_deleted_leaves_no_byte(backend: BackendEnd) -> None:
    for thread in ("t1", "t2"):
        await backend.turn(thread, user_text=f"{PHRASE} {thread} " * 400, user_id="ada", **PERSISTENT)
    await backend.end("t1", user_id="ada", **PERSISTENT)
    assert PHRASE.encode() in backend.bytes_on_disk()
    gone = await backend.http.delete("/api/threads/t1", params={"user_id": "ada"})
    assert gone.json() == {"threads": 1, "turns": 1}
    assert f"{PHRASE} t1".encode() not in backend.bytes_on_disk()
    assert f"{PHRASE} t2".encode() in backend.bytes_on_disk()
    nobody = await backend.http.delete("/api/threads")
    assert (nobody.status_code, error_code(nobody)) == (422, "owner_missing")
    erased = await backend.http.delete("/api/threads", params={"user_id": "ada"})
    assert erased.json() == {"threads": 1, "turns": 1}
    assert PHRASE.encode() not in backend.bytes_on_disk()


@pytest.mark.row("J6")
async def test_a_failed_end_is_shown_and_tried_again(tmp_path: Path) -> None:
    store, summary = SqlStore(f"sqlite+aiosqlite:///{tmp_path / 'state' / 'backend.db'}"), Summary()
    finalizer = Finalizer(store, summarizer=summary)
    async with running_backend(tmp_path / "state", store=store, finalizer=finalizer) as backend:
        await backend.turn(user_text="boom", **PERSISTENT)
        assert (await get(backend, "/t1/status"))["finalization"] == "idle"
        end = await backend.end(**PERSISTENT)
        assert (end.status_code, error_code(end)) == (500, "voice_realtime_end_failed")
        status = await get(backend, "/t1/status")
        assert (status["finalization"], status["failure"], status["open_turns"]) == ("failed", "LookupError", 1)
        again = await backend.http.post("/api/threads/t1/end")
        assert (again.status_code, error_code(again)) == (500, "thread_end_failed")
        summary.broken = False
        assert (await backend.http.post("/api/threads/t1/end")).json()["finalized"] is True
        status = await get(backend, "/t1/status")
        assert (status["finalization"], status["failure"], status["open_turns"]) == ("completed", None, 0)


@pytest.mark.row("I6")
@pytest.mark.parametrize("said_by", ["session", "turn"])
async def test_without_transcript_only_metadata_is_kept(backend: BackendEnd, said_by: str) -> None:
    asked = {"save_transcript": False}
    session = (await backend.session(**PERSISTENT, **(asked if said_by == "session" else {}))).json()
    turn = {
        "token": session["session_token"],
        "user_text": PHRASE,
        "assistant_text": PHRASE,
        "heard_text": PHRASE,
        "client_turn_id": "c1",
        "outcome": "interrupted",
        "tool_calls": [
            {"tool_name": "a", "status": "failed", "output": {"grounded_lookup": {"q": PHRASE}}, "error": PHRASE}
        ],
        "timings": {"response_ms": 412, "said": PHRASE},
        # A turn cannot take back what its session was promised.
        "save_transcript": said_by == "session",
        **PERSISTENT,
    }
    for _ in range(2):
        reply = (await backend.turn(**turn)).json()
        assert (reply["recorded"], reply["message_count"]) == (True, 0)
    if said_by == "turn":
        await backend.turn(**(turn | {"user_text": "", "assistant_text": "", "client_turn_id": "c2"}))
    end = (await backend.end(token=session["session_token"], **PERSISTENT)).json()
    assert end["finalized"] is True
    assert "without its transcript" in end["summary"]
    (kept, *_) = (await get(backend, "/t1/history"))["turns"]
    assert kept["transcript_kept"] is False
    assert (kept["messages"], kept["heard_text"], kept["grounded_lookup"]) == ([], None, None)
    assert kept["outcome"] == "interrupted"
    assert kept["tool_calls"] == [{"tool_name": "a", "status": "failed", "output": {}, "error": None}]
    assert kept["diagnostics"]["timings"] == {"response_ms": 412}
    assert PHRASE.encode() not in backend.bytes_on_disk()
    assert PHRASE not in json.dumps(end)


async def test_a_session_goes_on_at_another_process_and_after_a_restart(database_url: str) -> None:
    data = Path("unused")
    async with (
        running_backend(data, store=SqlStore(database_url)) as one,
        running_backend(data, store=SqlStore(database_url)) as other,
    ):
        session = (await one.session("t1", user_id="ada", **PERSISTENT)).json()
        token = session["session_token"]
        replies = await asyncio.gather(
            *((one, other)[n % 2].turn("t1", token=token, user_text=str(n), **PERSISTENT) for n in range(20))
        )
        assert sorted(reply.json()["message_count"] for reply in replies) == list(range(1, 21))
        assert (await other.turn("t2", token=token, user_text="x", **PERSISTENT)).status_code == 403
        assert (await other.turn("t1", token="made-up", user_text="x", **PERSISTENT)).status_code == 403
        ends = await asyncio.gather(*(each.end("t1", token=token, **PERSISTENT) for each in (one, other)))
        assert ends[0].json() == ends[1].json()
        assert ends[0].json()["turn_count"] == 20
        # What is incognito lives in the memory of the process that opened it.
        secret = (await one.session("t3")).json()["session_token"]
        assert (await other.turn("t3", token=secret, user_text="x")).status_code == 403
