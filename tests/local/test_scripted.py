"""A file of rules fixes what is said and called: the same talk, held twice on a server, gives the same events."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from couchvoice.local.engines import Engines
from couchvoice.local.engines.hearing import choose_recognizer
from couchvoice.local.engines.replies import Rules
from couchvoice.local.engines.voice import Tone
from tests.local.caller import known
from tests.local.serving import listening
from tests.local.socket_caller import SocketCaller, conversing

SCRIPT = """
rules:
- heard: [is memory on for this conversation]
  say: One moment. I will look.
  call: {look_up: {where: memory}}
- heard: [/./]
  say: Go on.
tools:
  look_up:
    then: "It says {answer}."
"""
LOOK_UP = {
    "type": "function",
    "name": "look_up",
    "parameters": {
        "type": "object",
        "properties": {"where": {"type": "string"}, "depth": {"type": "integer", "minimum": 1}},
        "required": ["where", "depth"],
    },
}
_IDS = re.compile(r"\b([a-z]+)_[0-9a-f]{8,}")
_TIMES = frozenset({"audio_start_ms", "audio_end_ms", "expires_at", "seconds"})


@pytest.fixture
def scripted(tmp_path: Path) -> Engines:
    path = tmp_path / "script.yaml"
    path.write_text(SCRIPT, encoding="utf-8")
    return Engines(choose_recognizer(recordings=known("first-talk")), Rules.load(path), Tone())


async def prepared(caller: SocketCaller, **session: Any) -> None:
    transcribes = {"audio": {"input": {"transcription": {"model": "m"}}}}
    await caller.send("session.update", session={"type": "realtime", "tools": [LOOK_UP], **transcribes, **session})


async def events_of_a_talk(place: str) -> list[dict[str, Any]]:
    async with conversing(place) as caller:
        await prepared(caller)
        for turn, recording in enumerate(known("first-talk")[:2]):
            await caller.say(recording)
            done = (await caller.wait_for("response.done", count=turn + 1))["response"]
        call = done["output"][1]
        output = {"type": "function_call_output", "call_id": call["call_id"], "output": '{"answer": "yes"}'}
        await caller.send("conversation.item.create", item=output)
        await caller.send("response.create")
        await caller.wait_for("response.done", count=3)
        return caller.events


def normalised(value: Any, names: dict[str, str]) -> Any:
    """Ids by the order of their appearance, times left out."""
    match value:
        case dict():
            return {name: normalised(item, names) for name, item in value.items() if name not in _TIMES}
        case list():
            return [normalised(item, names) for item in value]
        case str():
            return _IDS.sub(lambda found: names.setdefault(found[0], f"{found[1]}_{len(names)}"), value)
        case _:
            return value


@pytest.mark.row("O8")
async def test_the_same_talk_gives_the_same_events(scripted: Engines) -> None:
    async with listening(scripted) as place:
        one, other = [normalised(await events_of_a_talk(place), {}) for _ in range(2)]
    assert one == other
    said = [event["transcript"] for event in one if event["type"] == "response.output_audio_transcript.done"]
    assert said == ["Go on.", "One moment. I will look.", "It says yes."]


@pytest.mark.row("O8")
@pytest.mark.parametrize("choice", ["required", {"type": "function", "name": "look_up"}])
async def test_a_required_call_comes_whatever_was_said(scripted: Engines, choice: object) -> None:
    async with listening(scripted) as place, conversing(place) as caller:
        await prepared(caller, tool_choice=choice)
        await caller.say(known("first-talk")[0])
        (call,) = (await caller.wait_for("response.done"))["response"]["output"]
        assert json.loads(call["arguments"]) == {"where": "Hello, can you hear me?", "depth": 1}
