"""What operators see: figures, event lines, the sessions that are alive. How much and how long, never what."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families
from starlette.responses import JSONResponse

from couchvoice.backend.guards import Guards
from couchvoice.private import Private
from tests.backend.ends import API_KEY, BackendEnd, Names, error_code, running_backend

ADMIN = "the operators' credential, of 32 characters and more"
OPERATOR = {"Authorization": f"Bearer {ADMIN}"}
SESSIONS = "/api/admin/sessions"
SPOKEN = "the zebra under the piano hums"


@pytest.fixture
async def watched(tmp_path: Path) -> AsyncIterator[BackendEnd]:
    async with running_backend(tmp_path / "state", guards=Guards(admin=Private(ADMIN))) as end:
        yield end


async def figures(backend: BackendEnd) -> dict[tuple[str, ...], float]:
    response = await backend.http.get("/metrics")
    assert response.headers["content-type"].startswith("text/plain")
    samples = [sample for family in text_string_to_metric_families(response.text) for sample in family.samples]
    return {(sample.name, *sample.labels.values()): sample.value for sample in samples}


def events(caplog: pytest.LogCaptureFixture, kind: str) -> list[dict[str, Any]]:
    lines = [record.getMessage() for record in caplog.records if record.name == "couchvoice.backend.events"]
    assert not any("\n" in line for line in lines)
    return [event for event in map(json.loads, lines) if event["event"] == kind]


@pytest.mark.row("N1", "N2")
async def test_each_session_that_is_opened_or_not_is_counted_and_told_in_one_line(
    watched: BackendEnd, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "couchvoice")
    await watched.session("t1", user_id="ada")
    watched.provider.reply = JSONResponse({"error": SPOKEN}, 401)
    await watched.session("t1", user_id="ada")
    found = await figures(watched)
    assert found["realtime_sessions_total", "local"] == 1
    assert found["realtime_session_failures_total", "local", "upstream_auth_failed"] == 1
    good, bad = events(caplog, "session")
    for event in (good, bad):
        assert event["provider"] == "local"
        assert re.fullmatch("[0-9a-f]{12}", event["owner"])
        assert event["ms"] >= 0
    assert good["owner"] == bad["owner"]
    assert (good["code"], bad["code"]) == ("ok", "upstream_auth_failed")


@pytest.mark.row("N4")
async def test_the_latencies_of_turns_are_figures_without_a_word_of_them(watched: BackendEnd) -> None:
    token = (await watched.session("t1")).json()["session_token"]
    await watched.turn(
        token=token,
        user_text=SPOKEN,
        timings={"connect_ms": 40, "response_ms": 650.0, "stt_ms": 99.9, "said": SPOKEN, "tool_ms": True},
    )
    await watched.turn(
        token=token, client_turn_id="2", user_text="Hi.", timings={"response_ms": 812, "stop_ms": -1, "stt_ms": 1e300}
    )
    found = await figures(watched)
    stages = ("connect", "first_transcript", "transcription", "response", "barge_in_stop", "tool")
    assert [found["realtime_latency_seconds_count", stage] for stage in stages] == [1, 0, 1, 2, 0, 0]
    assert found["realtime_latency_seconds_sum", "response"] == pytest.approx(1.462)
    buckets = {
        bound: found["realtime_latency_seconds_bucket", bound, "response"] for bound in ("0.5", "0.8", "1.0", "+Inf")
    }
    assert buckets == {"0.5": 0, "0.8": 1, "1.0": 2, "+Inf": 2}
    assert SPOKEN not in (await watched.http.get("/metrics")).text


@pytest.mark.row("N6")
async def test_the_figures_tell_what_goes_on(watched: BackendEnd) -> None:
    token = (await watched.session("t1")).json()["session_token"]
    await watched.session("t1")
    await watched.session("t2")
    await watched.tool("wait_for_user", token=token)
    await watched.tool(SPOKEN)
    await watched.tool("wait_for_user", arguments={"x": 1})
    await watched.turn(token=token, user_text="x" * 1000, outcome="interrupted")
    await watched.end(token=token)
    found = await figures(watched)
    assert found["realtime_active_sessions",] == 2
    assert found["realtime_reconnects_total",] == 1
    assert found["realtime_barge_ins_total",] == 1
    assert found["realtime_turns_total", "interrupted"] == 1
    assert found["realtime_tool_calls_total", "wait_for_user", "completed"] == 1
    assert found["realtime_tool_calls_total", "wait_for_user", "failed"] == 1
    assert found["realtime_tool_calls_total", "unknown_tool", "failed"] == 1
    assert found["realtime_bytes_total", "in"] > 1000
    assert found["realtime_bytes_total", "out"] > 1000


@pytest.mark.row("N6")
async def test_a_tool_call_is_one_line(watched: BackendEnd, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "couchvoice")
    await watched.tool("wait_for_user")
    (line,) = [record.getMessage() for record in caplog.records if "wait_for_user" in record.getMessage()]
    assert json.loads(line)["code"] == "ok"


@pytest.mark.row("C15")
async def test_operators_see_the_live_sessions_without_their_content_and_end_one(watched: BackendEnd) -> None:
    owned = {"user_id": "ada.lovelace", "memory_mode": "persistent"}
    kept, gone = [(await watched.session(thread, **owned)).json() for thread in ("one", "two")]
    tokens = {"token": gone["session_token"]}
    await watched.turn("two", user_text=SPOKEN, memory_mode="persistent", **tokens)
    await watched.tool("wait_for_user", "two", memory_mode="persistent", **tokens)
    listed = await watched.http.get(SESSIONS, headers=OPERATOR)
    first, second = listed.json()["sessions"]
    assert (first["session_id"], second["session_id"]) == (kept["session_id"], gone["session_id"])
    assert (first["bytes_in"], first["turns"], first["state"]) == (0, 0, "open")
    assert (second["turns"], second["tool_calls"], second["memory_mode"]) == (1, 1, "persistent")
    assert second["bytes_in"] > len(SPOKEN)
    assert second["bytes_out"] > 0
    assert 0 <= second["idle_s"] <= second["age_s"]
    for secret in (SPOKEN, "zebra", "ada.lovelace", '"two"', gone["session_token"], gone["client_secret"]):
        assert secret not in listed.text

    ended = await watched.http.delete(f"{SESSIONS}/{gone['session_id']}", headers=OPERATOR)
    assert ended.json()["state"] == "disconnected"
    for refused in (
        await watched.turn("two", user_text="more", memory_mode="persistent", **tokens),
        await watched.tool("wait_for_user", "two", **tokens),
        await watched.end("two", memory_mode="persistent", **tokens),
    ):
        assert (refused.status_code, error_code(refused)) == (403, "session_disconnected")
    assert (await watched.tool("wait_for_user", "one", token=kept["session_token"])).status_code == 200
    assert [s["turns"] for s in (await watched.http.get(SESSIONS, headers=OPERATOR)).json()["sessions"]] == [0]
    again = await watched.http.delete(f"{SESSIONS}/{gone['session_id']}", headers=OPERATOR)
    assert (again.status_code, error_code(again)) == (404, "session_not_found")


async def test_a_session_that_was_ended_stays_so_when_the_backend_starts_again(tmp_path: Path) -> None:
    guards = Guards(admin=Private(ADMIN))
    async with running_backend(tmp_path / "state", guards=guards) as backend:
        opened = (await backend.session("one", memory_mode="persistent")).json()
        await backend.http.delete(f"{SESSIONS}/{opened['session_id']}", headers=OPERATOR)
    async with running_backend(tmp_path / "state", guards=guards) as backend:
        late = await backend.turn("one", user_text="more", memory_mode="persistent", token=opened["session_token"])
    assert late.status_code == 403


@pytest.mark.parametrize("credential", ["", "ada", f"{ADMIN}x", ADMIN[:-1], "é"])
async def test_operators_have_a_credential_of_their_own(tmp_path: Path, credential: str) -> None:
    guards = Guards(authentication=Names(), admin=Private(ADMIN))
    async with running_backend(tmp_path / "state", guards=guards) as backend:
        bearer = {"Authorization": f"Bearer {credential}".encode()}
        for method, path in (("GET", SESSIONS), ("DELETE", f"{SESSIONS}/x"), ("GET", "/api/admin/other")):
            refused = await backend.http.request(method, path, headers=bearer)
            assert (refused.status_code, error_code(refused)) == (401, "token_invalid")
        # And theirs is no user's.
        assert (await backend.http.get("/api/threads", headers=OPERATOR)).status_code == 401


async def test_without_a_credential_for_operators_there_is_no_list(backend: BackendEnd) -> None:
    assert (await backend.http.get(SESSIONS)).status_code == 404


@pytest.mark.row("N7")
@pytest.mark.parametrize("level", [logging.DEBUG, logging.INFO])
async def test_neither_figures_nor_log_hold_a_secret_or_what_was_said(
    watched: BackendEnd, caplog: pytest.LogCaptureFixture, level: int
) -> None:
    caplog.set_level(level)
    opened = (await watched.session(f"thread {SPOKEN}", user_id=SPOKEN, memory_mode="persistent")).json()
    place = {"thread_id": f"thread {SPOKEN}", "token": opened["session_token"], "memory_mode": "persistent"}
    await watched.turn(
        user_text=SPOKEN,
        assistant_text=SPOKEN,
        client_turn_id=SPOKEN,
        tool_calls=[{"tool_name": SPOKEN, "status": "failed", "error": SPOKEN}],
        **place,
    )
    await watched.tool(SPOKEN, **place)
    await watched.tool("lookup_crisis_resources", arguments={"location": SPOKEN}, **place)
    await watched.tool("lookup_crisis_resources", arguments={SPOKEN: SPOKEN}, **place)
    await watched.session("t", assistant_voice=SPOKEN)
    await watched.http.get(f"/api/threads/{SPOKEN}/history", params={"user_id": SPOKEN})
    watched.provider.reply = JSONResponse({"error": SPOKEN + API_KEY}, 500)
    await watched.session("t")
    await watched.end(**place)
    # The test's own client logs its URLs; the backend is what is looked at.
    told = "\n".join(r.getMessage() for r in caplog.records if not r.name.startswith(("httpx", "httpcore")))
    told += (await watched.http.get("/metrics")).text
    assert '"event": "session"' in told
    for secret in (SPOKEN, "zebra", "CANARY", opened["session_token"], opened["client_secret"]):
        assert secret not in told


async def test_ready_means_that_the_store_answers(watched: BackendEnd) -> None:
    assert (await watched.http.get("/api/ready")).json() == {"status": "ready"}
    watched.database.mkdir(parents=True)  # where its file should be
    refused = await watched.http.get("/api/ready")
    assert refused.status_code >= 500
    error_code(refused)
    assert (await watched.http.get("/api/health")).status_code == 200
