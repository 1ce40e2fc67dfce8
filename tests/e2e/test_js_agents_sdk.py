"""OpenAI's Agents SDK for JavaScript, as it is published, against the local server."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e.local_server import local_server, write_spoken
from tests.e2e.stock_agent import RATE, StockAgent, stock_agent
from tests.local.caller import known
from tests.local.wire import WEBSOCKET_LACKS, check_session

pytestmark = pytest.mark.timeout(60)

ANSWERED = [
    ("user", "Is memory on for this conversation?", "completed"),
    ("assistant", "One moment.", "completed"),
    ("show_memory_status", '{"response_text":"Nothing is kept by this program."}', "completed"),
    ("assistant", "Nothing is kept by this program.", "completed"),
]
LEAST_SOUND = 500  # ms, of any answer
MOST_OF_A_STORY = 4_000  # ms that are heard before an interruption takes effect; all of it lasts ten times as long
BYTES_PER_MS = 48  # of audio/pcm


@pytest.mark.row("O5")
async def test_it_asks_aloud_calls_its_tool_types_and_interrupts_over_webrtc(tmp_path: Path) -> None:
    async with local_server() as server, stock_agent(server, "webrtc") as agent:
        agent.order("say", wav=str(write_spoken(known("first-talk")[1], tmp_path / "question.wav", rate=RATE)))
        await heard_out(agent, answers=2)
        assert agent.loud_ms > 2 * LEAST_SOUND
        assert conversation(agent) == ANSWERED

        asked_ms = agent.loud_ms
        agent.order("type", text="Thank you very much.")
        await heard_out(agent, answers=3)
        thanked_ms = agent.loud_ms
        assert thanked_ms > asked_ms + LEAST_SOUND

        agent.order("type", text="Tell me a story.")
        await agent.until(lambda: not agent.is_quiet)
        agent.order("interrupt")
        await agent.until(lambda: agent.is_quiet and agent.of("conversation.item.truncated"))
        assert agent.loud_ms < thanked_ms + MOST_OF_A_STORY

        await agent.close()
        await server.notices_the_end_of(agent.saw("connected")[0]["call_id"])
    check_session(agent.events)
    assert conversation(agent)[4:-1] == [
        ("user", "Thank you very much.", "completed"),
        ("assistant", "You are welcome.", "completed"),
        ("user", "Tell me a story.", "completed"),
    ]
    role, _, status = conversation(agent)[-1]
    assert (role, status) == ("assistant", "incomplete")
    assert [done["response"]["status"] for done in agent.of("response.done")] == [*["completed"] * 3, "cancelled"]
    assert [cleared["response_id"] for cleared in agent.of("output_audio_buffer.cleared")] == [
        agent.of("response.done")[-1]["response"]["id"]
    ]
    assert len(agent.saw("tool")) == 1
    assert not agent.saw("error")


@pytest.mark.row("O6")
async def test_it_asks_aloud_and_calls_its_tool_over_websocket(tmp_path: Path) -> None:
    async with local_server() as server, stock_agent(server, "websocket") as agent:
        agent.order("say", wav=str(write_spoken(known("first-talk")[1], tmp_path / "question.wav", rate=RATE)))
        await agent.until(lambda: len(agent.of("response.done")) == 2 and conversation(agent) == ANSWERED)
        await agent.close()
    check_session(agent.events, lacks=WEBSOCKET_LACKS)
    assert sum(line["bytes"] for line in agent.saw("audio")) > 2 * LEAST_SOUND * BYTES_PER_MS
    assert len(agent.saw("tool")) == 1
    assert not agent.saw("error")


async def heard_out(agent: StockAgent, *, answers: int) -> None:
    """Until so many answers have been played to their ends."""
    await agent.until(lambda: len(agent.of("output_audio_buffer.stopped")) == answers and agent.is_quiet)


def conversation(agent: StockAgent) -> list[tuple[str, str, str]]:
    """As the SDK shows it: who, what, status."""
    told = []
    for item in agent.history:
        if item["type"] == "function_call":
            told.append((item["name"], item["output"], item["status"]))
        else:
            (part,) = item["content"]
            told.append((item["role"], part.get("transcript") or part.get("text"), item["status"]))
    return told
