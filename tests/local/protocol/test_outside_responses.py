"""Responses outside of the conversation (``conversation: none``), with a context of their own (``input``)."""

from __future__ import annotations

from typing import Any

from couchvoice.local.protocol.orders import Think
from couchvoice.local.protocol.reply import Say
from tests.local.staged import GREETING, STORY, Stage, types

OUTSIDE = {"conversation": "none", "output_modalities": ["text"], "metadata": {"topic": "label"}}


def message(text: str) -> dict[str, Any]:
    return {"type": "message", "role": "user", "content": [{"type": "input_text", "text": text}]}


def test_a_response_outside_leaves_no_item_in_the_conversation() -> None:
    stage = Stage()
    told = stage.send("response.create", response=OUTSIDE | {"input": [message(GREETING)]}) + stage.answer()
    assert not [kind for kind in types(told) if kind.startswith("conversation.")]
    done = stage.last("response.done")["response"]
    assert (done["status"], done["conversation_id"], done["metadata"]) == ("completed", None, {"topic": "label"})
    error = stage.refusal("conversation.item.retrieve", item_id=done["output"][0]["id"])
    assert error["code"] == "item_not_found"


def test_it_runs_beside_the_response_of_the_conversation() -> None:
    stage = Stage()
    stage.say(STORY)
    active = stage.last("response.created")["response"]["id"]
    stage.send("response.create", response=OUTSIDE | {"input": [message(GREETING)]})
    outside = stage.last("response.created")["response"]["id"]
    stage.answer()
    assert {event["response"]["id"] for event in stage.all("response.done")} == {active, outside}
    error = stage.refusal("response.cancel", response_id=outside)
    assert error["code"] == "response_cancel_not_active"


def test_it_is_cancelled_by_its_name_only() -> None:
    stage = Stage()
    stage.send("response.create", response=OUTSIDE | {"input": []})
    outside = stage.last("response.created")["response"]["id"]
    assert stage.refusal("response.cancel")["code"] == "response_cancel_not_active"
    stage.send("response.cancel", response_id=outside)
    assert stage.last("response.done")["response"]["status"] == "cancelled"


def test_its_input_takes_the_place_of_the_conversation() -> None:
    stage = Stage()
    stage.say(GREETING)
    spoken = stage.last("input_audio_buffer.committed")["item_id"]
    stage.answer()
    stage.send(
        "response.create", response=OUTSIDE | {"input": [message("a"), {"type": "item_reference", "id": spoken}]}
    )
    (order,) = stage.pending(Think)
    assert order.question.heard == f"a {GREETING}"
    assert [item["role"] for item in order.question.items] == ["user", "user"]


def test_without_input_it_sees_the_conversation() -> None:
    stage = Stage()
    stage.say(GREETING)
    stage.answer()
    stage.send("response.create", response=OUTSIDE)
    (order,) = stage.pending(Think)
    assert [item["role"] for item in order.question.items] == ["user", "assistant"]


def test_speech_interrupts_the_conversation_and_not_what_is_outside() -> None:
    stage = Stage()
    stage.send("response.create", response=OUTSIDE | {"input": [message(GREETING)]})
    stage.start_speaking()
    assert not stage.all("response.done")
    stage.answer()
    assert stage.last("response.done")["response"]["status"] == "completed"


def test_a_reply_is_told_as_it_comes() -> None:
    stage = Stage({"output_modalities": ["text"]})
    stage.say(GREETING)
    stage.think_on(Say("One."))
    assert [event["delta"] for event in stage.all("response.output_text.delta")] == ["One."]
    stage.think_on(Say("Two."))
    assert not stage.all("response.done")
    stage.think(())
    assert stage.last("response.output_text.done")["text"] == "One. Two."
    assert len(stage.last("response.done")["response"]["output"]) == 1


def test_the_next_part_waits_for_the_sound_of_the_one_before() -> None:
    stage = Stage()
    stage.say(GREETING)
    stage.think_on(Say("One."))
    stage.think_on(Say("Two."))
    stage.think(())
    stage.synthesize()
    assert not stage.all("response.output_audio_transcript.delta")
    stage.play()
    stage.synthesize()
    assert stage.last("response.output_audio_transcript.done")["transcript"] == "One. Two."


def test_two_responses_speak_one_after_the_other() -> None:
    stage = Stage()
    stage.say(STORY)
    aloud = {"conversation": "none", "input": [message(GREETING)]}
    stage.send("response.create", response=aloud)
    while stage.pending(Think):
        stage.think()
    first, second = (event["response"]["id"] for event in stage.all("response.created"))
    stage.answer()
    while stage.queued:
        stage.drain()
        stage.answer()
    started = [event["response_id"] for event in stage.all("output_audio_buffer.started")]
    stopped = [event["response_id"] for event in stage.all("output_audio_buffer.stopped")]
    assert started == stopped == [first, second]
