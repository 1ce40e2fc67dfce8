"""openai-agents, as it is, against the served application: a spoken question, one tool call, a spoken answer."""

from __future__ import annotations

import asyncio
from typing import Any

import numpy as np
import pytest
from agents import function_tool, set_tracing_disabled
from agents.realtime import RealtimeAgent, RealtimeRunner, RealtimeSession, RealtimeSessionEvent

from couchvoice.audio.frames import silence
from tests.local.caller import KEY, known
from tests.local.serving import listening
from tests.local.socket_caller import PAUSE, STEP, spoken
from tests.local.wire import WEBSOCKET_LACKS, check_session

WAIT = 15.0  # seconds, for both responses
RESPONSES = 2  # the one that calls, and the one to the tool's output

set_tracing_disabled(True)  # it would be sent to OpenAI


@function_tool
def show_memory_status() -> dict[str, Any]:
    """What is remembered of the user."""
    return {"response_text": "Nothing is kept."}


async def speak(session: RealtimeSession, samples: np.ndarray) -> None:
    for start in range(0, samples.size, STEP):
        await session.send_audio(samples[start : start + STEP].tobytes())


@pytest.mark.row("O6")
async def test_an_agent_is_asked_aloud_calls_its_tool_and_answers() -> None:
    question = known("first-talk")[1]
    agent = RealtimeAgent(name="couch", instructions="Be brief.", tools=[show_memory_status])
    runner = RealtimeRunner(agent)
    seen: list[RealtimeSessionEvent] = []
    async with listening() as place:
        url = f"ws://{place}/v1/realtime?model=gpt-realtime"
        async with await runner.run(model_config={"url": url, "api_key": KEY}) as session:
            await speak(session, np.concatenate([spoken(question), silence(PAUSE)]))
            async with asyncio.timeout(WAIT):
                async for event in session:
                    seen.append(event)
                    if responses_over(seen) == RESPONSES:
                        break
    assert not of(seen, "error")
    assert [event.output for event in of(seen, "tool_end")] == [{"response_text": "Nothing is kept."}]
    assert sum(len(event.audio.data) for event in of(seen, "audio")) > 0
    events = raw(seen)
    check_session(events, lacks=WEBSOCKET_LACKS)
    said = [event["transcript"] for event in events if event["type"] == "response.output_audio_transcript.done"]
    assert said[-1] == "Nothing is kept."


def of(seen: list[RealtimeSessionEvent], kind: str) -> list[Any]:
    return [event for event in seen if event.type == kind]


def raw(seen: list[RealtimeSessionEvent]) -> list[dict[str, Any]]:
    """What came over the wire."""
    return [event.data.data for event in of(seen, "raw_model_event") if event.data.type == "raw_server_event"]


def responses_over(seen: list[RealtimeSessionEvent]) -> int:
    return sum(event["type"] == "rate_limits.updated" for event in raw(seen))
