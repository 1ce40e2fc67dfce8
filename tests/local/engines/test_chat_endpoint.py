"""A question goes to a chat server with its history and tools; the answer comes sentence by sentence."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing
from typing import Any

import pytest
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from couchvoice.local.engines.chat_endpoint import ChatEndpoint
from couchvoice.local.engines.engine_failed import EngineFailed
from couchvoice.local.protocol.reply import Call, Part, Question, Say
from tests.local.engines.far_end import KEY, MODEL, FarEnd, event, far_end

WEATHER: dict[str, Any] = {
    "type": "function",
    "name": "get_weather",
    "description": "The weather of a place",
    "parameters": {
        "type": "object",
        "properties": {"place": {"type": "string"}, "unit": {"enum": ["celsius", "kelvin"]}},
        "required": ["place", "unit"],
    },
}
HEARD = "What is the weather in Cork?"


def said(role: str, text: str, kind: str = "input_text") -> dict[str, Any]:
    return {"id": "item_1", "type": "message", "role": role, "content": [{"type": kind, "text": text}]}


def called(call_id: str, arguments: str = "{}") -> dict[str, Any]:
    return {"id": "i", "type": "function_call", "name": "get_weather", "call_id": call_id, "arguments": arguments}


def gave(call_id: str, output: str) -> dict[str, Any]:
    return {"id": "i", "type": "function_call_output", "call_id": call_id, "output": output}


@pytest.fixture
async def end() -> AsyncIterator[FarEnd]:
    async with far_end() as end:
        yield end


@pytest.fixture
async def replier(end: FarEnd) -> AsyncIterator[ChatEndpoint]:
    replier = ChatEndpoint(end.endpoint)
    yield replier
    await replier.close()


async def answer(replier: ChatEndpoint, **question: Any) -> list[Part]:
    return [part async for part in replier.answer(Question(**({"heard": HEARD} | question)))]


def tool_call(index: int | None, name: str | None, arguments: Any) -> dict[str, Any]:
    call = {"function": {"name": name, "arguments": arguments}}
    return {"tool_calls": [call if index is None else {"index": index, "id": f"call_{index}", **call}]}


async def test_the_question_is_asked_with_instructions_tools_and_key(end: FarEnd, replier: ChatEndpoint) -> None:
    await answer(replier, items=[said("user", HEARD)], instructions="Be kind.", tools=[WEATHER], max_tokens=99)
    function = {name: value for name, value in WEATHER.items() if name != "type"}
    assert end.asked == [
        {
            "model": MODEL,
            "stream": True,
            "messages": [{"role": "system", "content": "Be kind."}, {"role": "user", "content": HEARD}],
            "tools": [{"type": "function", "function": function}],
            "tool_choice": "auto",
            "max_tokens": 99,
        }
    ]
    assert end.authorizations == {f"Bearer {KEY}"}


async def test_a_second_turn_has_its_history_with_each_tools_answer_behind_its_call(
    end: FarEnd, replier: ChatEndpoint
) -> None:
    image = {"type": "input_image", "image_url": "data:image/png;base64,AA==", "detail": "low"}
    await answer(
        replier,
        items=[
            said("system", "It is May."),
            said("user", ""),
            {"type": "message", "role": "user", "content": [{"type": "input_audio", "transcript": "Hello"}, image]},
            {
                "type": "message",
                "role": "assistant",
                "content": [{"type": "output_audio", "transcript": "One moment."}],
            },
            called("a", '{"place": "Cork"}'),
            called("b"),
            called("never answered"),
            gave("a", "rain"),
            said("user", "And?"),
            gave("b", "sun"),
            gave("of no call", "x"),
        ],
    )
    calls = [
        {"id": name, "type": "function", "function": {"name": "get_weather", "arguments": arguments}}
        for name, arguments in (("a", '{"place": "Cork"}'), ("b", "{}"))
    ]
    picture = {"type": "image_url", "image_url": {"url": image["image_url"], "detail": "low"}}
    assert end.asked[0]["messages"] == [
        {"role": "system", "content": "It is May."},
        {"role": "user", "content": [{"type": "text", "text": "Hello"}, picture]},
        {"role": "assistant", "content": "One moment.", "tool_calls": calls},
        {"role": "tool", "tool_call_id": "a", "content": "rain"},
        {"role": "tool", "tool_call_id": "b", "content": "sun"},
        {"role": "user", "content": "And?"},
    ]
    assert "tools" not in end.asked[0]


async def test_silence_is_told_to_the_server(end: FarEnd, replier: ChatEndpoint) -> None:
    await answer(replier, heard="", idle=True)
    assert end.asked[0]["messages"] == [{"role": "system", "content": "The user has said nothing for a while."}]


@pytest.mark.parametrize(
    ("deltas", "sentences"),
    [
        (["It is rain", "ing. Take", " a coat! Or", " not"], ["It is raining.", "Take a coat!", "Or not"]),
        (["3.14 is pi. "], ["3.14 is pi."]),
        (["One\n", "\n- two"], ["One", "- two"]),
        (["你好。再见"], ["你好。", "再见"]),
        ([""], []),
    ],
)
async def test_the_answer_comes_in_sentences(
    end: FarEnd, replier: ChatEndpoint, deltas: Sequence[str], sentences: Sequence[str]
) -> None:
    end.deltas = [{"role": "assistant", "content": None}, *({"content": delta} for delta in deltas)]
    assert await answer(replier) == [Say(sentence) for sentence in sentences]


async def test_the_first_sentence_goes_out_while_the_second_is_not_known(end: FarEnd, replier: ChatEndpoint) -> None:
    end.deltas = [{"content": "It is raining. "}, {"content": "Take a coat."}]
    end.hold = asyncio.Event()
    async with aclosing(replier.answer(Question(heard=HEARD))) as parts:
        assert await anext(parts) == Say("It is raining.")
        end.hold.set()
        assert await anext(parts) == Say("Take a coat.")


async def test_an_answer_that_nobody_waits_for_any_more_is_hung_up(end: FarEnd, replier: ChatEndpoint) -> None:
    end.deltas = [{"content": "It is raining. "}] * 3
    end.hold = asyncio.Event()
    async with aclosing(replier.answer(Question(heard=HEARD))) as parts:
        await anext(parts)
    end.hold.set()
    assert await answer(replier) == [Say("It is raining.")] * 3


async def test_calls_are_put_together_from_their_pieces_and_follow_the_words(
    end: FarEnd, replier: ChatEndpoint
) -> None:
    end.deltas = [
        tool_call(0, "get_weather", '{"pla'),
        {"content": "One moment"},
        tool_call(1, "get_time", ""),
        tool_call(0, None, 'ce": "Cork"}'),
        {"content": "."},
    ]
    call = Call("get_weather", {"place": "Cork"})
    assert await answer(replier, tools=[WEATHER]) == [Say("One moment."), call, Call("get_time", {})]


@pytest.mark.parametrize("arguments", ['{"place": ', "[1]", None, "null"])
async def test_arguments_that_are_no_object_are_none(end: FarEnd, replier: ChatEndpoint, arguments: object) -> None:
    end.deltas = [tool_call(None, "get_weather", arguments)]
    assert await answer(replier, tools=[WEATHER]) == [Call("get_weather", {})]


async def test_a_server_that_does_not_stream_is_understood(end: FarEnd, replier: ChatEndpoint) -> None:
    async def whole(_: Request) -> Response:
        message = {"role": "assistant", "content": "Rain. A lot.", **tool_call(None, "get_weather", {"place": "Cork"})}
        return JSONResponse({"choices": [{"index": 0, "message": message}]})

    end.instead = whole
    assert await answer(replier) == [Say("Rain."), Say("A lot."), Call("get_weather", {"place": "Cork"})]


@pytest.mark.parametrize(
    ("must_call", "choice"),
    [("", "required"), ("get_weather", {"type": "function", "function": {"name": "get_weather"}})],
)
async def test_a_required_call_that_the_server_does_not_make_is_made_for_it(
    end: FarEnd, replier: ChatEndpoint, must_call: str, choice: object
) -> None:
    parts = await answer(replier, tools=[WEATHER], must_call=must_call)
    assert end.asked[0]["tool_choice"] == choice
    assert parts == [Say("It is raining."), Call("get_weather", {"place": HEARD, "unit": "celsius"})]


async def test_a_required_call_that_the_server_makes_in_part_is_completed(end: FarEnd, replier: ChatEndpoint) -> None:
    end.deltas = [tool_call(0, "get_weather", json.dumps({"place": "Cork"}))]
    parts = await answer(replier, tools=[WEATHER], must_call="get_weather")
    assert parts == [Call("get_weather", {"place": "Cork", "unit": "celsius"})]


async def test_a_required_call_that_cannot_be_made_is_a_failure(replier: ChatEndpoint) -> None:
    with pytest.raises(EngineFailed, match="the tool that must be called is not on offer"):
        await answer(replier, tools=[WEATHER], must_call="get_time")


@pytest.mark.parametrize(
    "body",
    [
        "",
        "data: [DONE]\n\n",
        event({"error": {"message": "secret"}}),
        event({"choices": "none"}),
        event({"choices": [{"delta": {"content": 5}}]}),
        "data: {\n\n",
        "data: [1]\n\n",
        ": nothing but comments\n\n",
    ],
)
async def test_a_stream_that_is_no_answer_is_a_failure(end: FarEnd, replier: ChatEndpoint, body: str) -> None:
    async def answered(_: Request) -> Response:
        return Response(body, media_type="text/event-stream")

    end.instead = answered
    with pytest.raises(EngineFailed, match="its answer is no") as failed:
        await answer(replier)
    assert "secret" not in str(failed.value)
