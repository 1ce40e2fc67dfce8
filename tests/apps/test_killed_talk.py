"""A client that is killed in the middle of a talk: its turns are there, once, and the backend ends its session."""

from __future__ import annotations

import signal
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.apps.command import ready, started

SILENCE = 2.0  # seconds
USER, THREAD = "ada", "thread of a lost client"


@pytest.mark.row("J5")
@pytest.mark.timeout(60)
async def test_the_session_of_a_client_that_was_killed_is_finalized_after_its_silence_with_its_turns_intact(
    tmp_path: Path, still: Path
) -> None:
    state = {"COUCHVOICE_STATE_DIR": str(tmp_path / "state")}
    serve = ("serve", "backend", "--port", "0", "--finalize-after", f"{SILENCE:g}")
    async with started(*serve, environment=state) as backend:
        url = await ready(backend)
        turns = await talked_until_killed(url, still)
        async with httpx.AsyncClient(base_url=f"{url}/api/threads/{THREAD}", params={"user_id": USER}) as http:

            async def read(what: str) -> Any:
                return (await http.get(what)).raise_for_status().json()

            seen: list[dict[str, Any]] = []
            while not seen or seen[-1]["finalization"] != "completed":
                seen.append(await read("/status"))
            history = await read("/history")
        backend.send(signal.SIGTERM)
        assert (await backend.ended()).status == 0
    end = seen[-1]
    assert (end["open_turns"], end["turn_count"], end["failure"]) == (0, len(turns), None)
    assert moment(end["finalized_at"]) - moment(end["active_at"]) >= timedelta(seconds=SILENCE)
    kept = [tuple(message["content"] for message in turn["messages"]) for turn in history["turns"]]
    assert kept == [(turn["user_text"], turn["assistant_text"]) for turn in turns]
    assert [turn["number"] for turn in history["turns"]] == list(range(1, len(turns) + 1))


async def talked_until_killed(url: str, wav: Path) -> list[dict[str, Any]]:
    """Its turns that were recorded; the answer to the last line is being spoken when it dies."""
    words = ("talk", "--backend", url, "--input", str(wav), "--output", "none", "--json", "--memory", "persistent")
    async with started(*words, "--user", USER, "--thread", THREAD) as talk:
        await talk.line_with(type="state", state="listening")
        turns = []
        for _ in range(2):
            talk.type("Thank you.")
            turns.append(await talk.line_with(type="turn", recorded=True))
        talk.type("Is memory on?")
        await talk.line_with(type="state", state="assistant_speaking")
        talk.send(signal.SIGKILL)
        assert (await talk.ended()).status == -signal.SIGKILL
    return turns


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text)
