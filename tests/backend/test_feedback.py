"""How a talk was found: kept for 180 days, once for each session, and never of an incognito one."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import get_args

import pytest

from couchvoice.backend import SqlStore
from couchvoice.backend.feedback import FEEDBACK_KEPT
from couchvoice.backend.finalizer import Finalizer
from couchvoice.contract import END_PATH, Feedback
from couchvoice.settings import SessionSettings
from tests.backend.ends import BackendEnd, any_turn, error_code, running_backend

PERSISTENT = {"memory_mode": "persistent", "user_id": "ada"}


async def given(backend: BackendEnd, thread_id: str = "t1") -> object:
    status = await backend.http.get(f"/api/threads/{thread_id}/status", params={"user_id": "ada"})
    return status.json()["feedback"]


@pytest.mark.row("J8")
@pytest.mark.parametrize("feedback", get_args(Feedback))
async def test_feedback_is_kept_with_the_end_of_the_session(backend: BackendEnd, feedback: str) -> None:
    token = (await backend.session(**PERSISTENT)).json()["session_token"]
    await backend.turn(user_text="hello", token=token, **PERSISTENT)
    assert await given(backend) is None
    reply = await backend.end(token=token, feedback=feedback, **PERSISTENT)
    assert reply.json()["finalized"] is True
    assert await given(backend) == feedback
    assert f'realtime_feedback_total{{feedback="{feedback}"}} 1.0' in (await backend.http.get("/metrics")).text


@pytest.mark.row("J8")
async def test_the_last_word_of_a_session_counts_and_a_later_session_has_its_own(store: SqlStore) -> None:
    for session, word in (("s1", "negative"), ("s1", "positive"), ("s2", "skip"), (None, "negative")):
        await store.feedback.keep(word, thread_id="t", owner="ada", session_id=session)  # type: ignore[arg-type]
        assert await store.feedback.last("t", owner="ada") == word
    await store.feedback.keep("skip", thread_id="t", owner="ada", session_id=None)
    assert await store.feedback.last("t", owner="eve") is None
    assert await store.feedback.last("other", owner="ada") is None


@pytest.mark.row("J8")
async def test_feedback_goes_after_180_days_and_with_its_thread_and_its_owner(store: SqlStore) -> None:
    assert timedelta(days=180) == FEEDBACK_KEPT
    await store.turns.record(any_turn(owner="ada", thread_id="t"))

    async def keep() -> None:
        await store.feedback.keep("positive", thread_id="t", owner="ada", session_id="s")

    for days, left in ((179, "positive"), (181, None)):
        await keep()
        await Finalizer(store, now=lambda days=days: datetime.now(UTC) + timedelta(days=days)).sweep()
        assert await store.feedback.last("t", owner="ada") == left
    await keep()
    await store.threads.delete("t", owner="ada")
    assert await store.feedback.last("t", owner="ada") is None
    await keep()
    await store.threads.erase("ada")
    assert await store.feedback.last("t", owner="ada") is None


@pytest.mark.row("J8", "K3")
async def test_of_an_incognito_talk_feedback_is_counted_and_not_kept(backend: BackendEnd) -> None:
    token = (await backend.session()).json()["session_token"]
    await backend.turn(user_text="hello", token=token)
    assert (await backend.end(token=token, feedback="negative")).json()["finalized"] is False
    assert (await backend.end(token=token, feedback="negative", memory_mode="persistent")).status_code == 200
    assert not backend.data.exists()
    assert 'realtime_feedback_total{feedback="negative"} 2.0' in (await backend.http.get("/metrics")).text


@pytest.mark.row("J8")
async def test_a_thread_that_is_ended_later_can_be_told_how_it_was(backend: BackendEnd) -> None:
    await backend.turn(user_text="hello", **PERSISTENT)
    where = {"user_id": "ada", "feedback": "positive"}
    assert (await backend.http.post("/api/threads/t1/end", params=where)).json()["finalized"] is True
    assert await given(backend) == "positive"
    stranger = await backend.http.post("/api/threads/t1/end", params=where | {"user_id": "eve"})
    assert stranger.status_code == 404


@pytest.mark.row("J8")
async def test_another_word_is_no_feedback(backend: BackendEnd, tmp_path: Path) -> None:
    reply = await backend.post(END_PATH, {"thread_id": "t1", "feedback": "great"})
    assert (reply.status_code, error_code(reply)) == (422, "invalid_request")


@pytest.mark.row("J8")
@pytest.mark.parametrize("mode", ["companion", "listener"])
async def test_where_it_is_asked_by_voice_the_tool_keeps_it_for_the_session(tmp_path: Path, mode: str) -> None:
    async with running_backend(tmp_path / "state", session=SessionSettings(ask_feedback=True)) as backend:
        opened = (await backend.session(mode=mode, **PERSISTENT)).json()
        assert "# Feedback" in opened["session_config"]["instructions"]
        assert "give_session_feedback" in {tool["name"] for tool in opened["session_config"]["tools"]}
        token = opened["session_token"]
        await backend.turn(user_text="hello", token=token, **PERSISTENT)
        told = {"arguments": {"feedback": "negative"}, **PERSISTENT}
        assert (await backend.tool("give_session_feedback", token=token, **told)).status_code == 200
        assert await given(backend) == "negative"
        await backend.end(token=token, feedback="positive", **PERSISTENT)
        assert await given(backend) == "positive"  # of one session there is one word


@pytest.mark.row("J8", "K3")
async def test_asked_by_voice_in_incognito_it_is_counted_and_not_kept(tmp_path: Path) -> None:
    async with running_backend(tmp_path / "state", session=SessionSettings(ask_feedback=True)) as backend:
        reply = await backend.tool("give_session_feedback", arguments={"feedback": "skip"})
        assert reply.status_code == 200
        assert not backend.data.exists()
        assert 'realtime_feedback_total{feedback="skip"} 1.0' in (await backend.http.get("/metrics")).text


@pytest.mark.row("J8")
async def test_unless_it_is_wanted_nobody_asks(backend: BackendEnd) -> None:
    opened = (await backend.session(**PERSISTENT)).json()["session_config"]
    assert "# Feedback" not in opened["instructions"]
    assert (await backend.tool("give_session_feedback", arguments={"feedback": "skip"})).status_code == 404
