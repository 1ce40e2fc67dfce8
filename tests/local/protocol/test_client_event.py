"""Every client event is answered as the reference says, or refused with an error that names it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from couchvoice.local.protocol.orders import Think
from tests.local.staged import BOTH, CHUNK, GREETING, STORY, Stage, types

MESSAGE = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "hello"}]}
ITEM = ["conversation.item.added", "conversation.item.done"]
SIZE = 150 * 1024


def speaking() -> Stage:
    """An answer is being made: one sentence of three sounds."""
    stage = Stage()
    stage.say(STORY)
    stage.think()
    stage.synthesize()
    stage.play()
    return stage


def items(stage: Stage) -> list[str]:
    return stage.judge.items


# Items


def test_items_are_put_where_the_client_says() -> None:
    stage = Stage()
    for item_id, after in (("a", None), ("b", "root"), ("c", "b"), ("d", None)):
        item = {**MESSAGE, "id": item_id}
        assert types(stage.send("conversation.item.create", item=item, previous_item_id=after)) == ITEM
    assert items(stage) == ["b", "c", "a", "d"]
    assert [event["previous_item_id"] for event in stage.all(ITEM[0])] == [None, None, "b", "a"]
    assert [event["previous_item_id"] for event in stage.all(ITEM[1])] == [None, None, "b", "a"]


def test_an_item_without_an_id_gets_one_that_nobody_has() -> None:
    stage = Stage()
    stage.send("conversation.item.create", item=MESSAGE)
    (first,) = items(stage)
    number = int(first.rpartition("_")[2])
    stage.send("conversation.item.create", item={**MESSAGE, "id": first.replace(str(number), str(number + 1))})
    stage.send("conversation.item.create", item=MESSAGE)
    assert len(set(items(stage))) == 3


def test_an_item_is_retrieved_deleted_and_gone() -> None:
    stage = Stage()
    stage.send("conversation.item.create", item={**MESSAGE, "id": "a"})
    (retrieved,) = stage.send("conversation.item.retrieve", item_id="a")
    assert retrieved["item"] == {**MESSAGE, "id": "a", "object": "realtime.item", "status": "completed"}
    assert types(stage.send("conversation.item.delete", item_id="a")) == ["conversation.item.deleted"]
    for kind in ("retrieve", "delete", "truncate"):
        error = stage.refusal(f"conversation.item.{kind}", item_id="a", audio_end_ms=0, event_id="e1")
        assert (error["code"], error["param"], error["event_id"]) == ("item_not_found", "item_id", "e1")


def test_an_item_may_come_back_under_its_id() -> None:
    stage = Stage()
    stage.say(GREETING)
    item_id = items(stage)[0]
    stage.send("conversation.item.delete", item_id=item_id)
    assert types(stage.send("conversation.item.create", item={**MESSAGE, "id": item_id})) == ITEM


@pytest.mark.parametrize("item_id", ["a", None])
def test_an_id_that_is_taken_is_refused(item_id: str | None) -> None:
    stage = Stage()
    stage.send("conversation.item.create", item={**MESSAGE, "id": "a"})
    being_spoken = stage.start_speaking()[0]["item_id"]
    error = stage.refusal("conversation.item.create", item={**MESSAGE, "id": item_id or being_spoken})
    assert (error["code"], error["param"]) == ("item_already_exists", "item.id")


def test_the_place_behind_an_unknown_item_is_refused() -> None:
    error = Stage().refusal("conversation.item.create", item=MESSAGE, previous_item_id="nobody")
    assert (error["code"], error["param"]) == ("item_not_found", "previous_item_id")


def test_the_assistants_sound_is_truncated_once() -> None:
    stage = speaking()
    stage.answer()
    item_id = stage.last("response.done")["response"]["output"][0]["id"]
    error = stage.refusal("conversation.item.truncate", item_id=item_id, content_index=0, audio_end_ms=3001)
    assert (error["code"], error["param"]) == ("invalid_value", "audio_end_ms")
    (truncated,) = stage.send("conversation.item.truncate", item_id=item_id, content_index=0, audio_end_ms=3000)
    assert (truncated["type"], truncated["audio_end_ms"]) == ("conversation.item.truncated", 3000)
    (retrieved,) = stage.send("conversation.item.retrieve", item_id=item_id)
    assert retrieved["item"]["content"] == [{"type": "output_audio", "transcript": ""}]


def test_only_the_one_part_of_an_assistants_message_can_be_truncated() -> None:
    stage = speaking()
    user, assistant = items(stage)
    error = stage.refusal("conversation.item.truncate", item_id=user, audio_end_ms=0)
    assert (error["code"], error["param"]) == ("invalid_value", "item_id")
    error = stage.refusal("conversation.item.truncate", item_id=assistant, content_index=1, audio_end_ms=0)
    assert (error["code"], error["param"]) == ("invalid_value", "content_index")


def test_sound_in_base64_is_not_kept() -> None:
    stage = Stage()
    part = {"type": "input_audio", "audio": "AAAA", "transcript": GREETING}
    stage.send("conversation.item.create", item={"type": "message", "role": "user", "content": [part]})
    assert stage.last("conversation.item.done")["item"]["content"] == [{"type": "input_audio", "transcript": GREETING}]
    stage.send("response.create")
    stage.answer()
    assert stage.last("response.done")["response"]["output"]


def test_an_item_of_sound_without_words_is_answered_too() -> None:
    stage = Stage()
    stage.send(
        "conversation.item.create", item={"type": "message", "role": "user", "content": [{"type": "input_audio"}]}
    )
    stage.send("response.create")
    stage.answer()
    assert stage.last("response.done")["response"]["status"] == "completed"


@pytest.mark.parametrize(
    ("item", "code", "param"),
    [
        ({}, "missing_required_parameter", "item.type"),
        ({"type": "mcp_call"}, "invalid_value", "item.type"),
        ({"type": 5}, "invalid_type", "item.type"),
        ({"type": "message", "content": []}, "missing_required_parameter", "item.role"),
        ({"type": "message", "role": "tool", "content": []}, "invalid_value", "item.role"),
        ({"type": "message", "role": "user"}, "missing_required_parameter", "item.content"),
        ({"type": "message", "role": "user", "content": "hello"}, "invalid_type", "item.content"),
        ({"type": "message", "role": "user", "content": [{}]}, "missing_required_parameter", "item.content[0].type"),
        ({**MESSAGE, "content": [{"type": "output_text", "text": "x"}]}, "invalid_value", "item.content[0].type"),
        ({**MESSAGE, "content": [{"type": "input_text", "text": 1}]}, "invalid_type", "item.content[0].text"),
        ({**MESSAGE, "id": 5}, "invalid_type", "item.id"),
        ({**MESSAGE, "id": ""}, "invalid_value", "item.id"),
        ({"type": "function_call_output", "call_id": "c"}, "missing_required_parameter", "item.output"),
        ({"type": "function_call_output", "call_id": "c", "output": {}}, "invalid_type", "item.output"),
        ({"type": "function_call", "name": "t", "arguments": "{}"}, "missing_required_parameter", "item.call_id"),
        ({**MESSAGE, "content": [{"type": "input_text", "text": "x" * 210_000}]}, "invalid_value", "item"),
    ],
)
def test_a_broken_item_is_refused(item: dict[str, Any], code: str, param: str) -> None:
    stage = Stage()
    error = stage.refusal("conversation.item.create", item=item)
    assert (error["code"], error["param"]) == (code, param)
    assert items(stage) == []


# Responses


@pytest.mark.row("E5")
def test_a_second_response_is_refused_while_one_is_active() -> None:
    stage = speaking()
    error = stage.refusal("response.create", event_id="agents_py_response_create_2")
    assert error["code"] == "conversation_already_has_active_response"
    assert error["event_id"] == "agents_py_response_create_2"
    assert stage.last("response.created")["response"]["id"] in error["message"]
    stage.answer()
    assert types(stage.send("response.create")) == ["response.created"]


@pytest.mark.row("E5")
def test_there_is_nothing_to_cancel_while_nothing_is_made() -> None:
    assert Stage().refusal("response.cancel")["code"] == "response_cancel_not_active"
    assert speaking().refusal("response.cancel", response_id="resp_other")["code"] == "response_cancel_not_active"


def test_a_response_is_cancelled_by_its_id() -> None:
    stage = speaking()
    response_id = stage.last("response.created")["response"]["id"]
    assert types(stage.send("response.cancel", response_id=response_id))[-2] == "response.done"


@pytest.mark.parametrize(
    ("options", "code", "param"),
    [
        ({"output_modalities": ["smell"]}, "invalid_value", "response.output_modalities[0]"),
        ({"output_modalities": ["audio", "text"]}, "invalid_value", "response.output_modalities"),
        ({"metadata": {"a": 1}}, "invalid_type", "response.metadata[...]"),
        ({"metadata": {str(n): "" for n in range(17)}}, "invalid_value", "response.metadata"),
        ({"audio": {"output": {"speed": 9}}}, "invalid_value", "response.audio.output.speed"),
        ({"conversation": "new"}, "invalid_value", "response.conversation"),
        ({"input": 5}, "invalid_type", "response.input"),
        ({"input": [5]}, "invalid_type", "response.input[0]"),
        ({"input": [{"type": "message"}]}, "missing_required_parameter", "response.input[0].role"),
        ({"input": [{"type": "item_reference", "id": "nobody"}]}, "item_not_found", "response.input[0].id"),
        ({"max_output_tokens": 0}, "invalid_value", "response.max_output_tokens"),
    ],
)
def test_a_response_that_cannot_be_made_is_refused(options: dict[str, Any], code: str, param: str) -> None:
    error = Stage().refusal("response.create", response=options)
    assert (error["code"], error["param"]) == (code, param)


def test_a_response_may_have_tools_and_a_voice_of_its_own() -> None:
    stage = Stage()
    options = {"tool_choice": "none", "audio": {"output": {"voice": {"id": "voice_1"}}}, "instructions": None}
    stage.send("response.create", response=options)
    assert stage.last("response.created")["response"]["audio"]["output"]["voice"] == "voice_1"
    (order,) = stage.pending(Think)
    assert order.question.tools == ()


# What is no event


@pytest.mark.parametrize(
    ("message", "code", "param"),
    [
        ("", "invalid_json", None),
        ("{", "invalid_json", None),
        (b"\xff\xfe\x00", "invalid_json", None),
        ("[" * 100_000, "invalid_json", None),
        ('{"type": ' + "[" * 500 + "]" * 500 + "}", "invalid_json", None),
        ('{"type": NaN}', "invalid_json", None),
        ('{"type": "response.create", "response": {"max_output_tokens": 1e999}}', "invalid_json", None),
        ('{"type": "response.create", "response": {"max_output_tokens": ' + "9" * 5000 + "}}", "invalid_json", None),
        ('{"type": "response.create", "event_id": "\\ud800"}', "invalid_json", None),
        ('"response.create"', "invalid_type", None),
        ("{}", "missing_required_parameter", "type"),
        ('{"type": null}', "invalid_type", "type"),
        ('{"type": ["response.create"]}', "invalid_type", "type"),
        ('{"type": "response.creat"}', "invalid_value", "type"),
        ('{"type": "session.update"}', "missing_required_parameter", "session"),
        ('{"type": "session.update", "session": []}', "invalid_type", "session"),
        ('{"type": "session.update", "session": {"instructions": "x"}}', "missing_required_parameter", "session.type"),
        ('{"type": "conversation.item.create"}', "missing_required_parameter", "item"),
        ('{"type": "conversation.item.create", "item": null}', "invalid_type", "item"),
        ('{"type": "conversation.item.retrieve"}', "missing_required_parameter", "item_id"),
        ('{"type": "conversation.item.retrieve", "item_id": 1}', "invalid_type", "item_id"),
        ('{"type": "conversation.item.truncate", "item_id": "a"}', "missing_required_parameter", "audio_end_ms"),
        ('{"type": "conversation.item.truncate", "item_id": "a", "audio_end_ms": 1.5}', "invalid_type", "audio_end_ms"),
        ('{"type": "conversation.item.truncate", "item_id": "a", "audio_end_ms": -1}', "invalid_value", "audio_end_ms"),
        ('{"type": "input_audio_buffer.append", "audio": "AAAA"}', "invalid_event_for_transport", "type"),
        ('{"type": "input_audio_buffer.append"}', "missing_required_parameter", "audio"),
        ('{"type": "response.create", "response": 5}', "invalid_type", "response"),
    ],
)
@pytest.mark.row("E1")
def test_garbage_is_answered_with_an_error_and_the_session_lives(
    message: str | bytes, code: str, param: str | None
) -> None:
    stage = Stage()
    (event,) = stage.receive(message)
    assert (event["error"]["code"], event["error"].get("param")) == (code, param)
    assert event["error"]["type"] == "invalid_request_error"
    assert types(stage.send("response.create")) == ["response.created"]


def test_an_output_of_a_call_that_nobody_made_is_refused() -> None:
    """OpenAI: "the server will check that a function_call item with the same ID exists in the conversation"."""
    stage = Stage()
    output = {"type": "function_call_output", "call_id": "call_9", "output": "{}"}
    error = stage.refusal("conversation.item.create", item=output, event_id="e1")
    assert (error["code"], error["event_id"]) == ("invalid_tool_call_id", "e1")
    assert error["message"] == "Tool call ID 'call_9' not found in conversation."
    assert stage.all("conversation.item.added") == []
    call = {"type": "function_call", "id": "mine", "call_id": "call_9", "name": "t", "arguments": "{}"}
    stage.send("conversation.item.create", item=call)
    stage.send("conversation.item.create", item=output)
    assert stage.last("conversation.item.added")["item"]["output"] == "{}"
    stage.send("conversation.item.delete", item_id="mine")
    assert stage.refusal("conversation.item.create", item=output)["code"] == "invalid_tool_call_id"


def test_an_event_in_bytes_is_an_event() -> None:
    assert types(Stage().receive(b'{"type": "input_audio_buffer.clear"}')) == ["input_audio_buffer.cleared"]


@pytest.mark.parametrize(("event_id", "echoed"), [("e" * 512, True), ("e" * 513, False), (5, False), (None, False)])
def test_an_error_names_the_event_that_it_answers(event_id: object, *, echoed: bool) -> None:
    error = Stage().refusal("nothing", event_id=event_id)
    assert error.get("event_id") == (event_id if echoed else None)


@pytest.mark.parametrize("kind", ["conversation.item.retrieve", "x" * SIZE])
def test_a_megabyte_is_not_sent_back(kind: str) -> None:
    (event,) = Stage().send(kind, item_id="y" * SIZE, event_id="z" * SIZE)
    assert len(json.dumps(event)) < 1500


@pytest.mark.row("D9")
def test_the_voice_may_change_until_it_was_heard() -> None:
    stage = Stage()
    (event,) = stage.send("session.update", session={"type": "realtime", "audio": {"output": {"voice": "sage"}}})
    assert event["session"]["audio"]["output"]["voice"] == "sage"
    stage.utter()
    stage.hear(GREETING)
    stage.answer()
    error = stage.refusal("session.update", session={"type": "realtime", "audio": {"output": {"voice": "ash"}}})
    assert (error["code"], error["param"]) == ("cannot_update_voice", "session.audio.output.voice")
    stage.send("session.update", session={"type": "realtime", "audio": {"output": {"voice": "sage", "speed": 1.5}}})
    assert stage.last("session.updated")["session"]["audio"]["output"]["speed"] == 1.5


# Items that hold sound, and items that change while they are made


def test_sound_in_an_item_is_recognized_and_answered() -> None:
    stage = Stage()
    content = [{"type": "input_text", "text": "Listen:"}, {"type": "input_audio", "audio": CHUNK}]
    stage.send("conversation.item.create", item={"type": "message", "role": "user", "content": content})
    assert "audio" not in str(stage.last("conversation.item.done")["item"]["content"][1].keys())
    stage.send("response.create")
    assert not stage.pending(Think)
    told = stage.recognize(GREETING)
    assert types(told)[-1] == "conversation.item.input_audio_transcription.completed"
    assert (told[-1]["transcript"], told[-1]["content_index"]) == (GREETING, 1)
    (order,) = stage.pending(Think)
    assert order.question.heard == f"Listen: {GREETING}"


def test_sound_in_an_item_must_be_sound() -> None:
    item = {"type": "message", "role": "user", "content": [{"type": "input_audio", "audio": "?"}]}
    assert Stage().refusal("conversation.item.create", item=item)["param"] == "audio"


def test_what_is_truncated_while_it_is_made_has_no_text_in_the_end() -> None:
    stage = Stage()
    stage.say(STORY)
    stage.think()
    stage.synthesize()
    stage.play()
    item_id = stage.last("response.output_item.added")["item"]["id"]
    stage.send("conversation.item.truncate", item_id=item_id, content_index=0, audio_end_ms=10)
    stage.answer()
    (retrieved,) = stage.send("conversation.item.retrieve", item_id=item_id)
    assert retrieved["item"]["content"] == [{"type": "output_audio", "transcript": ""}]
    error = stage.refusal("conversation.item.truncate", item_id=item_id, content_index=0, audio_end_ms=11)
    assert error["param"] == "audio_end_ms"


def test_an_item_that_is_deleted_while_it_is_made_stays_away() -> None:
    stage = Stage()
    stage.say(STORY)
    stage.think()
    stage.synthesize()
    stage.play()
    item_id = stage.last("response.output_item.added")["item"]["id"]
    stage.send("conversation.item.delete", item_id=item_id)
    told = stage.answer()
    assert "conversation.item.done" not in types(told)
    assert stage.refusal("conversation.item.retrieve", item_id=item_id)["code"] == "item_not_found"


def test_one_call_at_a_time_if_so_asked() -> None:
    stage = Stage({"parallel_tool_calls": False})
    stage.say(BOTH)
    stage.answer()
    assert len(stage.last("response.done")["response"]["output"]) == 1


def test_a_tool_that_must_be_called_must_be_there() -> None:
    choice = {"type": "function", "name": "nobody"}
    assert Stage().refusal("response.create", response={"tool_choice": choice})["param"] == "response.tool_choice"


def test_pcm_has_its_rate_even_if_nobody_named_it() -> None:
    stage = Stage()
    for kind in ("audio/pcmu", "audio/pcm"):
        (event,) = stage.send("session.update", session={"audio": {"input": {"format": {"type": kind}}}})
    assert event["session"]["audio"]["input"]["format"] == {"type": "audio/pcm", "rate": 24000}
