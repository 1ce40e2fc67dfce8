"""Every error has the one shape and repeats nothing."""

from __future__ import annotations

import asyncio
import gzip
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from couchvoice.backend import SqlStore
from couchvoice.backend.body_limit import LARGER_BODIES, MAX_BODY
from couchvoice.backend.store import Turn
from couchvoice.contract import CONFIG_PATH, SESSION_PATH, TOOLS_PATH, TURN_PATH
from tests.backend.ends import BackendEnd, error_code, running_backend

SPOKEN = "the zebra under the piano hums"


async def test_health_answers(backend: BackendEnd) -> None:
    assert (await backend.http.get("/api/health")).json() == {"status": "ok"}


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [("GET", "/nowhere", 404, "not_found"), ("GET", SESSION_PATH, 405, "method_not_allowed")],
)
async def test_a_route_that_is_not_there_has_the_shape_too(
    backend: BackendEnd, method: str, path: str, status: int, code: str
) -> None:
    response = await backend.http.request(method, path)
    assert response.status_code == status
    assert error_code(response) == code


async def test_a_body_that_is_not_said_to_be_json_is_told_what_to_say(backend: BackendEnd) -> None:
    form = {"content-type": "application/x-www-form-urlencoded"}  # what curl -d says
    response = await backend.http.post(SESSION_PATH, content='{"thread_id": "t"}', headers=form)
    assert (response.status_code, error_code(response)) == (422, "invalid_request")
    assert "Content-Type: application/json" in response.json()["detail"]["message"]


@pytest.mark.parametrize(
    "body",
    [
        "",
        "{",
        "[]",
        '"text"',
        "[" * 30_000,
        '{"thread_id": ' + "9" * 5000 + "}",
        '{"thread_id": "\\ud800"}',
        f'{{"thread_id": "t", "{SPOKEN}": 1}}',
        f'{{"thread_id": "t", "memory_mode": "{SPOKEN}"}}',
        f'{{"thread_id": "t", "user_id": ["{SPOKEN}"]}}',
        f'{{"thread_id": "t", "language": "{SPOKEN}"}}',
        f'{{"thread_id": "t", "voice": ["{SPOKEN}"]}}',
        b"\xff\xfe\xfa",
    ],
)
@pytest.mark.parametrize("path", [SESSION_PATH, CONFIG_PATH])
async def test_a_body_that_cannot_be_used_is_refused_and_not_repeated(
    backend: BackendEnd, path: str, body: str | bytes
) -> None:
    response = await backend.http.post(path, content=body, headers={"content-type": "application/json"})
    assert response.status_code in (400, 422)
    assert error_code(response) == "invalid_request"
    assert SPOKEN not in response.text
    assert "999" not in response.text


@pytest.mark.parametrize(("path", "field"), [(TURN_PATH, "timings"), (TOOLS_PATH, "arguments")])
@pytest.mark.parametrize("value", ["NaN", "-Infinity", '"\\ud800"'])
async def test_what_no_database_keeps_is_refused_inside_free_objects_too(
    backend: BackendEnd, path: str, field: str, value: str
) -> None:
    needed = {"user_text": "hello"} if path == TURN_PATH else {"tool_name": "wait_for_user"}
    body = json.dumps({"thread_id": "t", "memory_mode": "persistent", **needed, field: {"x": 0}})
    response = await backend.http.post(
        path, content=body.replace('"x": 0', f'"x": {value}'), headers={"content-type": "application/json"}
    )
    assert response.status_code == 422
    error_code(response)


async def test_a_turn_with_the_largest_outputs_of_several_tools_is_taken(backend: BackendEnd) -> None:
    call = {"tool_name": "wait_for_user", "status": "completed", "output": {"text": "x" * 64 * 1024}}
    turn = {"thread_id": "t", "memory_mode": "persistent", "user_text": SPOKEN, "tool_calls": [call] * 8}
    response = await backend.http.post(TURN_PATH, json=turn)
    assert (response.status_code, response.json()["recorded"]) == (200, True)


@pytest.mark.parametrize("path", [SESSION_PATH, TURN_PATH, "/nowhere"])
async def test_a_body_over_the_limit_of_its_path_is_refused_and_one_at_the_limit_is_not(
    backend: BackendEnd, path: str
) -> None:
    limit = LARGER_BODIES.get(path, MAX_BODY)
    frame = len(json.dumps({"thread_id": "t", "user_text": ""}))
    for size in (limit, limit + 1):
        body = json.dumps({"thread_id": "t", "user_text": "x" * (size - frame)})
        assert len(body) == size
        response = await backend.http.post(path, content=body, headers={"content-type": "application/json"})
        assert (response.status_code == 413) == (size > limit)
    assert error_code(response) == "body_too_large"


class BreakingTurns:
    async def record(self, turn: Turn) -> int:
        raise RuntimeError(turn.user_text)


@pytest.mark.parametrize("kind", ["gzip", "deflate", "br", "x", "identity, gzip", "GZIP"])
async def test_a_body_that_must_be_unpacked_is_refused(backend: BackendEnd, kind: str) -> None:
    bomb = gzip.compress(b"0" * 10_000_000)
    headers = {"content-type": "application/json", "content-encoding": kind}
    response = await backend.http.post(SESSION_PATH, content=bomb, headers=headers)
    assert (response.status_code, error_code(response)) == (415, "body_encoded")


async def test_a_body_that_does_not_come_is_let_go(backend: BackendEnd, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("couchvoice.backend.body_limit.BODY_TIMEOUT", 0.01)

    async def for_ever() -> AsyncIterator[bytes]:
        yield b"{"
        await asyncio.Event().wait()

    response = await backend.http.post(SESSION_PATH, content=for_ever())
    assert (response.status_code, error_code(response)) == (408, "body_timeout")


async def test_a_store_that_breaks_gives_a_500_with_the_endpoints_code(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    store = SqlStore(f"sqlite+aiosqlite:///{tmp_path / 'backend.db'}")
    store.turns = BreakingTurns()  # type: ignore[assignment]  # one method is enough here
    async with running_backend(tmp_path / "state", store=store) as backend:
        turn = await backend.turn(user_text=SPOKEN, memory_mode="persistent")
    assert (turn.status_code, error_code(turn)) == (500, "voice_realtime_turn_record_failed")
    assert SPOKEN not in turn.text + caplog.text
    assert "x voice_realtime_turn_record_failed" in caplog.text


async def test_a_database_that_cannot_be_had_is_a_503_that_invites_to_ask_again(
    backend: BackendEnd, caplog: pytest.LogCaptureFixture
) -> None:
    backend.data.write_text("a file where the directory should be", encoding="utf-8")
    turn = await backend.turn(user_text=SPOKEN, memory_mode="persistent")
    assert (turn.status_code, error_code(turn)) == (503, "database_unavailable")
    backend.data.unlink()
    assert (await backend.turn(user_text=SPOKEN, memory_mode="persistent")).json()["recorded"] is True
    assert SPOKEN not in turn.text + caplog.text
