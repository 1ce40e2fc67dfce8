"""The calls on the wire, against a real server: exact requests, and every answer that is none."""

from __future__ import annotations

import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from couchvoice.client.backend import HttpBackend
from couchvoice.contract import VOICES, SessionRequest
from couchvoice.core.effects import CallTool
from couchvoice.core.turn import FinishedCall, FinishedTurn, Line, Outcome
from couchvoice.errors import BackendError, ConfigError, RateLimited, Unauthorized, Unavailable
from couchvoice.private import Private
from couchvoice.transports.http import HttpClient
from tests.backend.ends import running_backend
from tests.e2e.minimal_backend import Fault, MinimalBackend
from tests.leftovers import nothing_left
from tests.transports.http_ends import raw_end, reply

SECRET = "ek_of_the_test"
TOKEN = "token_of_the_client"
HERE = "http://localhost"  # answered in this process
CALL = CallTool("call_1", "lookup", {"query": "weather"}, "And now?", (Line("user", "Hello.", "item_1"),))
TURN = FinishedTurn(
    index=1,
    client_turn_id="k-1",
    user_text="Hello.",
    assistant_text="Hi.",
    tool_calls=(FinishedCall("lookup", "failed", {}, "tool_timeout"),),
    outcome=Outcome.INTERRUPTED,
    timings={"response_ms": 812.5},
)


@asynccontextmanager
async def client_of(url: str, *, token: str | None = None, **request: Any) -> AsyncIterator[HttpBackend]:
    async with HttpClient(url) as http:
        asked = SessionRequest(thread_id="t1", memory_mode="persistent", **request)
        yield HttpBackend(url, asked, http=http, token=Private(token) if token else None)


async def test_the_four_requests_are_what_the_contract_says():
    with MinimalBackend(secret=SECRET) as backend:
        async with client_of(backend.url, user_id="u1", assistant_voice="marin") as client:
            opened = await client.open_session()
            ran = await client.call_tool(CALL)
            recorded = await client.record_turn(TURN)
            ended = await client.end_session()
    owner = {"thread_id": "t1", "user_id": "u1", "memory_mode": "persistent"}
    assert [request.body for request in backend.requests] == [
        owner | {"assistant_voice": "marin"},
        owner
        | {
            "current_user_message": "And now?",
            "transcript": [{"role": "user", "content": "Hello.", "item_id": "item_1"}],
            "tool_name": "lookup",
            "arguments": {"query": "weather"},
            "call_id": "call_1",
        },
        owner
        | {
            "user_text": "Hello.",
            "assistant_text": "Hi.",
            "tool_calls": [{"tool_name": "lookup", "status": "failed", "output": {}, "error": "tool_timeout"}],
            "client_turn_id": "k-1",
            "outcome": "interrupted",
            "timings": {"response_ms": 812.5},
        },
        owner,
    ]
    assert {request.method for request in backend.requests} == {"POST"}
    assert opened.client_secret == SECRET
    assert (ran.output, ran.task_id) == ({"response_text": "lookup was run"}, None)
    assert (recorded.recorded, recorded.message_count) == (True, 2)
    assert ended.finalized


@pytest.mark.row("I6")
async def test_without_transcript_no_backend_is_told_what_was_said():
    said = FinishedTurn(
        index=1,
        client_turn_id="k-1",
        user_text="Hello.",
        assistant_text="Hi.",
        tool_calls=(FinishedCall("lookup", "completed", {"response_text": "Hello is a greeting."}, None),),
        outcome=Outcome.COMPLETED,
        timings={"response_ms": 812.5},
    )
    with MinimalBackend(secret=SECRET) as backend:
        async with client_of(backend.url, save_transcript=False) as client:
            await client.open_session()
            await client.record_turn(said)
    (session,), (turn,) = backend.to("session"), backend.to("turn")
    assert session["save_transcript"] is False
    assert turn == {
        "thread_id": "t1",
        "memory_mode": "persistent",
        "user_text": "",
        "assistant_text": "",
        "tool_calls": [{"tool_name": "lookup", "status": "completed", "output": {}}],
        "client_turn_id": "k-1",
        "outcome": "completed",
        "timings": {"response_ms": 812.5},
        "save_transcript": False,
    }


@pytest.mark.row("D2", "D13")
async def test_what_is_asked_of_a_session_reaches_the_backend():
    asked = {"language": "de", "vad_sensitivity": 70, "silence_duration_ms": 300}
    with MinimalBackend(secret=SECRET) as backend:
        async with client_of(backend.url, **asked) as client:
            await client.open_session()
    assert backend.requests[0].body == {"thread_id": "t1", "memory_mode": "persistent"} | asked


@pytest.mark.row("D9")
async def test_a_running_session_is_changed_as_the_backend_says(tmp_path: Path):
    async with running_backend(tmp_path / "state") as backend, HttpClient(HERE, app=backend.app) as http:
        client = HttpBackend(HERE, SessionRequest(thread_id="t1", memory_mode="persistent"), http=http)
        opened = (await client.open_session()).session_config
        assert (await client.configure(voice="ash")).session == {
            "type": "realtime",
            "audio": {"output": {"voice": "ash"}},
        }
        # The session's token went with it: the mode knows that this session is persistent.
        changed = (await client.configure(mode="companion")).session
        assert changed["instructions"] == opened["instructions"]
        with pytest.raises(BackendError) as caught:
            await client.configure(voice="nova")
        assert (caught.value.status, caught.value.code) == (422, "unsupported_voice")
        assert VOICES[0] in str(caught.value)
        with pytest.raises(BackendError) as caught:
            await client.configure(mode="pirate")
        assert (caught.value.status, caught.value.code) == (422, "unknown_mode")


@pytest.mark.row("D9")
async def test_a_change_asks_for_what_is_named_and_no_more():
    faults: dict[Any, Fault] = {"config": Fault(status=200, body='{"session": {"type": "realtime"}, "new": 1}')}
    with MinimalBackend(secret=SECRET, faults=faults) as backend:
        async with client_of(backend.url, user_id="u1") as client:
            assert (await client.configure(mode="m")).session == {"type": "realtime"}
    assert [(request.endpoint, request.body) for request in backend.requests] == [
        ("config", {"thread_id": "t1", "user_id": "u1", "mode": "m"})
    ]


WITHOUT_CONFIG = [
    (404, '{"detail": "Not Found"}'),
    (404, '{"detail": {"code": "not_found", "message": "not found"}}'),
    (404, "<html>"),
    (405, '{"detail": {"code": "method_not_allowed", "message": "method not allowed"}}'),
    (405, ""),
]


@pytest.mark.row("D9")
@pytest.mark.parametrize(("status", "body"), WITHOUT_CONFIG)
async def test_a_backend_that_changes_no_running_session_is_named_so(status: int, body: str):
    faults: dict[Any, Fault] = {"config": Fault(status=status, body=body)}
    with MinimalBackend(secret=SECRET, faults=faults) as backend:
        async with client_of(backend.url) as client:
            with pytest.raises(BackendError) as caught:
                await client.configure(voice="ash")
    assert (caught.value.code, caught.value.status) == ("config_not_supported", status)
    assert not caught.value.retryable
    assert "cannot change a session that is running" in str(caught.value)


@pytest.mark.row("D9")
@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [(403, "wrong_session_token", Unauthorized), (404, "unknown_thread", BackendError), (500, "x", Unavailable)],
)
async def test_a_change_that_is_refused_says_why(status: int, code: str, kind: type):
    body = json.dumps({"detail": {"code": code, "message": "the reason"}})
    faults: dict[Any, Fault] = {"config": Fault(status=status, body=body)}
    with MinimalBackend(secret=SECRET, faults=faults) as backend:
        async with client_of(backend.url) as client:
            with pytest.raises(kind) as caught:
                await client.configure(voice="ash")
    assert (caught.value.status, caught.value.code) == (status, code)


async def test_the_clients_token_and_the_sessions_token_go_with_every_request_after_they_are_known():
    body = f'{{"client_secret": "{SECRET}", "session_token": "st_1", "thread_id": "t9", "session_id": "s9", "new": 1}}'
    fault = Fault(status=200, body=body, times=1)
    with MinimalBackend(secret=SECRET, faults={"session": fault}) as backend:
        async with client_of(backend.url, token=TOKEN) as client:
            await client.open_session()
            await client.record_turn(TURN)
            await client.end_session()
    headers = [{name.lower(): value for name, value in request.headers.items()} for request in backend.requests]
    assert {header["authorization"] for header in headers} == {f"Bearer {TOKEN}"}
    assert [header.get("x-couchvoice-session") for header in headers] == [None, "st_1", "st_1"]
    # The backend has the last word on what the thread is called.
    assert [request.body["thread_id"] for request in backend.requests] == ["t1", "t9", "t9"]
    assert backend.requests[-1].body["session_id"] == "s9"
    assert SECRET not in str([request.headers for request in backend.requests])


REFUSALS = [
    (401, Unauthorized, False),
    (403, Unauthorized, False),
    (404, BackendError, False),
    (409, BackendError, False),
    (422, BackendError, False),
    (307, BackendError, False),
    (429, RateLimited, True),
    (500, Unavailable, True),
    (503, Unavailable, True),
]


@pytest.mark.parametrize(("status", "kind", "retryable"), REFUSALS)
async def test_a_refusal_says_what_the_backend_said_and_whether_to_try_again(status: int, kind: type, retryable: bool):
    fault = Fault(status=status, body='{"detail": {"code": "the_code", "message": "the reason"}}')
    with MinimalBackend(secret=SECRET, faults={"session": fault}) as backend:
        async with client_of(backend.url) as client:
            with pytest.raises(kind) as caught:
                await client.open_session()
    assert type(caught.value) is kind
    assert (caught.value.status, caught.value.code, caught.value.retryable) == (status, "the_code", retryable)
    assert "the reason" in str(caught.value)
    assert f"{backend.url}/api/voice/realtime/session" in str(caught.value)


BODIES = ["", "oops", "<html>", "[]", '{"detail": "no"}', '{"detail": {"code": 5}}', "[" * 100_000, "\x00"]


@pytest.mark.parametrize("body", BODIES, ids=["empty", "text", "html", "list", "string", "number", "nested", "nul"])
async def test_a_refusal_that_says_nothing_is_known_by_its_status(body: str):
    with MinimalBackend(secret=SECRET, faults={"end": Fault(status=500, body=body)}) as backend:
        async with client_of(backend.url) as client:
            with pytest.raises(Unavailable) as caught:
                await client.end_session()
    assert caught.value.code == "http_500"


async def test_a_refusal_that_never_stops_talking_is_cut():
    body = json.dumps({"detail": {"code": "c" * 9_999, "message": "m" * 99_999}})
    with MinimalBackend(secret=SECRET, faults={"end": Fault(status=500, body=body)}) as backend:
        async with client_of(backend.url) as client:
            with pytest.raises(Unavailable) as caught:
                await client.end_session()
    assert len(str(caught.value)) < 600


PAUSES = [("7", 7.0), ("0.5", 0.5), ("-3", 0.0), ("soon", None), ("Wed, 21 Oct 2015 07:28:00 GMT", None)]


@pytest.mark.parametrize(("value", "seconds"), PAUSES)
async def test_the_pause_that_a_busy_backend_asks_for_is_read(value: str, seconds: float | None):
    busy = reply(status="429 Slowly", headers=f"Retry-After: {value}\r\n")
    async with raw_end(busy) as end, client_of(end.url) as client:
        with pytest.raises(RateLimited) as caught:
            await client.record_turn(TURN)
    assert caught.value.retry_after == seconds


NONSENSE = ["", "It works!", "[1]", "null", "{}", '{"client_secret": ""}', '{"client_secret": 5}', '{"client_secret"']


@pytest.mark.parametrize("body", NONSENSE)
async def test_an_answer_that_promises_no_session_is_an_error_that_is_not_tried_again(body: str):
    with MinimalBackend(secret=SECRET, faults={"session": Fault(status=200, body=body)}) as backend:
        async with client_of(backend.url) as client:
            with pytest.raises(BackendError) as caught:
                await client.open_session()
    assert (caught.value.code, caught.value.status) == ("backend_answered_nonsense", None)
    assert not caught.value.retryable


async def test_nobody_there_and_a_connection_that_breaks_are_worth_another_try():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        nowhere = f"http://127.0.0.1:{listener.getsockname()[1]}"
    async with nothing_left(), client_of(nowhere) as client:
        with pytest.raises(Unavailable) as caught:
            await client.open_session()
    assert (caught.value.code, caught.value.retryable) == ("backend_unreachable", True)
    with MinimalBackend(secret=SECRET, faults={"turn": Fault(drop=True)}) as backend:
        async with client_of(backend.url) as client:
            with pytest.raises(Unavailable):
                await client.record_turn(TURN)


async def test_a_token_is_sent_to_this_machine_or_encrypted_and_nowhere_else():
    async with HttpClient("http://127.0.0.1:1") as http:
        with pytest.raises(ConfigError):
            HttpBackend("http://example.com", SessionRequest(thread_id="t"), http=http, token=Private(TOKEN))
