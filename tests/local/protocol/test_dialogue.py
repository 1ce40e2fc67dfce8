"""The documented order of events, for each course that a turn can take."""

from __future__ import annotations

import itertools

import pytest

from couchvoice.local.protocol.orders import ClearInput, Detect, DetectNothing, Speak, Think, Transcribe
from tests.local.staged import (
    ASIDE,
    BOTH,
    GREETING,
    MEMORY,
    REPLIES,
    SENTENCE_MS,
    STORY,
    TOOLS,
    TRANSCRIBES,
    Stage,
    types,
)
from tests.local.wire import Event

COMMITTED = ["input_audio_buffer.committed", "conversation.item.added", "conversation.item.done"]
UTTERED = ["input_audio_buffer.speech_started", "input_audio_buffer.speech_stopped", *COMMITTED]
TRANSCRIBED = [f"conversation.item.input_audio_transcription.{part}" for part in ("delta", "completed")]
ITEM_BEGINS = ["response.output_item.added", "conversation.item.added"]
ITEM_ENDS = ["response.output_item.done", "conversation.item.done"]
MESSAGE_BEGINS = [*ITEM_BEGINS, "response.content_part.added"]
WORDS_END = ["response.output_audio.done", "response.output_audio_transcript.done"]
MESSAGE_ENDS = [*WORDS_END, "response.content_part.done", *ITEM_ENDS]
CALL = [*ITEM_BEGINS, *[f"response.function_call_arguments.{part}" for part in ("delta", "done")], *ITEM_ENDS]
DONE = ["response.done", "rate_limits.updated"]
DELTA = "response.output_audio_transcript.delta"
STARTED, STOPPED, CLEARED = (f"output_audio_buffer.{part}" for part in ("started", "stopped", "cleared"))
TRUNCATED = "conversation.item.truncated"


def merged(events: list[Event]) -> list[str]:
    """Their types; several deltas in a row count as one."""
    return [kind for kind, _ in itertools.groupby(types(events))]


def without_deltas(events: list[Event]) -> list[str]:
    return [kind for kind in merged(events) if kind != DELTA]


@pytest.mark.row("O5", "E6")
def test_a_voice_turn_has_the_documented_order() -> None:
    stage = Stage()
    assert stage.types() == ["session.created"]
    assert types(stage.utter()) == [*UTTERED, "response.created"]
    assert types(stage.hear(GREETING)) == TRANSCRIBED
    assert types(stage.think()) == MESSAGE_BEGINS
    assert stage.synthesize() == []
    assert types(stage.play()) == [STARTED, *[DELTA] * 5]
    assert types(stage.synthesize()) == [*[DELTA] * 3, *MESSAGE_ENDS, *DONE]
    assert types(stage.drain()) == [STOPPED]
    assert stage.last("response.done")["response"]["output"][0]["content"] == [
        {"type": "output_audio", "transcript": "Yes, I can hear you. How are you?"}
    ]
    stage.judge.end()


def test_one_sentence_alone_is_announced_before_its_words() -> None:
    stage = Stage()
    stage.say(MEMORY)
    assert types(stage.think() + stage.synthesize()) == MESSAGE_BEGINS
    assert merged(stage.play()) == [STARTED, DELTA, *MESSAGE_ENDS, *CALL, *DONE]


@pytest.mark.row("O5")
def test_a_transcript_may_come_long_after_the_next_utterance() -> None:
    stage = Stage({"audio": {"input": {"transcription": {}, "turn_detection": None}}})
    stage.utter()
    stage.utter()
    first, second = stage.pending(Transcribe)
    stage.take(stage.dialogue.transcribed(second.item_id, "second", seconds=1.0))
    stage.take(stage.dialogue.transcribed(first.item_id, "first", seconds=1.0))
    done = stage.all("conversation.item.input_audio_transcription.completed")
    assert [event["item_id"] for event in done] == [second.item_id, first.item_id]
    assert done[0]["usage"] == {"type": "duration", "seconds": 1.0}


def test_the_answer_waits_for_the_words() -> None:
    stage = Stage()
    stage.utter()
    assert not stage.pending(Think)
    stage.hear(GREETING)
    assert [order.question.heard for order in stage.pending(Think)] == [GREETING]


@pytest.mark.row("F1", "O5")
def test_a_preamble_and_a_call_stand_in_one_response() -> None:
    stage = Stage()
    stage.say(MEMORY)
    assert without_deltas(stage.answer()) == [*MESSAGE_BEGINS, STARTED, *MESSAGE_ENDS, *CALL, *DONE]
    message, call = stage.last("response.done")["response"]["output"]
    assert message["content"][0]["transcript"] == "One moment."
    assert (call["name"], call["arguments"], call["status"]) == ("show_memory_status", '{"thread": 1}', "completed")
    done = stage.last("response.function_call_arguments.done")
    assert (done["name"], done["call_id"]) == (call["name"], call["call_id"])


@pytest.mark.row("F4", "O5")
def test_parallel_calls_stand_in_one_response_and_are_answered_by_one() -> None:
    stage = Stage()
    stage.say(BOTH)
    assert merged(stage.answer()) == [*CALL, *CALL, *DONE]
    calls = stage.last("response.done")["response"]["output"]
    for call in calls:
        output = {"type": "function_call_output", "call_id": call["call_id"], "output": "on"}
        assert types(stage.send("conversation.item.create", item=output)) == [
            "conversation.item.added",
            "conversation.item.done",
        ]
    assert types(stage.send("response.create")) == ["response.created"]
    (order,) = stage.pending(Think)
    assert [result.name for result in order.question.results] == ["show_memory_status", "lookup_crisis_resources"]
    assert [result.arguments for result in order.question.results] == [{}, {"country": "IE"}]
    stage.answer()
    assert stage.last("response.done")["response"]["status"] == "completed"


def test_a_tools_output_is_read_as_json_if_it_is_an_object() -> None:
    stage = Stage()
    for output in ('{"a": 1}', "[1]", "NaN", "words", "[" * 10_000):
        call = {"type": "function_call", "name": "t", "call_id": output[:3], "arguments": "{}"}
        stage.send("conversation.item.create", item=call)
        stage.send(
            "conversation.item.create",
            item={"type": "function_call_output", "call_id": output[:3], "output": output},
        )
    stage.send("response.create")
    (order,) = stage.pending(Think)
    outputs = [result.output for result in order.question.results]
    assert outputs == [{"a": 1}, *({"output": text} for text in ("[1]", "NaN", "words", "[" * 10_000))]


@pytest.mark.row("F2")
def test_an_empty_reply_is_a_response_without_output() -> None:
    stage = Stage()
    stage.say(ASIDE)
    assert types(stage.answer()) == [*CALL, *DONE]
    call_id = stage.last("response.done")["response"]["output"][0]["call_id"]
    item = {"type": "function_call_output", "call_id": call_id, "output": "{}"}
    stage.send("conversation.item.create", item=item)
    stage.send("response.create")
    assert types(stage.answer()) == DONE
    response = stage.last("response.done")["response"]
    assert (response["status"], response["output"], response["usage"]["output_tokens"]) == ("completed", [], 0)
    assert not stage.pending(Speak)


# Interruption


@pytest.mark.row("E5", "O5")
def test_who_interrupts_an_answer_in_the_making_cancels_and_truncates_it() -> None:
    stage = Stage()
    stage.say(STORY)
    stage.think()
    stage.synthesize()
    stage.play()
    told = stage.start_speaking(heard_ms=640)
    assert types(told) == ["input_audio_buffer.speech_started", *MESSAGE_ENDS, *DONE, CLEARED, TRUNCATED]
    response = stage.last("response.done")["response"]
    assert response["status_details"] == {"type": "cancelled", "reason": "turn_detected"}
    assert response["output"][0]["status"] == "incomplete"
    assert response["output"][0]["content"][0]["transcript"] == "One day it rained."
    assert stage.last(TRUNCATED)["audio_end_ms"] == 640
    assert stage.queued == []
    retrieved = stage.send("conversation.item.retrieve", item_id=stage.last(TRUNCATED)["item_id"])
    assert retrieved[0]["item"]["content"] == [{"type": "output_audio", "transcript": ""}]
    assert stage.synthesize() == []
    stage.stop_speaking()
    stage.hear(GREETING)
    stage.answer()
    assert stage.last("response.done")["response"]["status"] == "completed"


@pytest.mark.row("E5", "O5")
def test_who_interrupts_an_answer_that_is_made_but_still_sounds_only_cuts_the_sound() -> None:
    stage = Stage()
    stage.say(GREETING)
    stage.answer()
    assert stage.types()[-1] == "rate_limits.updated"
    assert types(stage.start_speaking(heard_ms=99_000)) == ["input_audio_buffer.speech_started", CLEARED, TRUNCATED]
    assert stage.last(TRUNCATED)["audio_end_ms"] == 2 * SENTENCE_MS


def test_who_speaks_while_the_answer_is_thought_of_cancels_it_before_a_sound() -> None:
    stage = Stage()
    stage.say(STORY)
    assert types(stage.start_speaking()) == ["input_audio_buffer.speech_started", *DONE]
    stage.stop_speaking()
    stage.hear("also")
    assert [order.question.heard for order in stage.pending(Think)] == [STORY, f"{STORY} also"]
    assert stage.think() == []


def test_sound_that_was_queued_and_never_began_is_dropped_without_a_word() -> None:
    stage = Stage()
    stage.say(STORY)
    stage.think()
    stage.synthesize()
    assert types(stage.start_speaking()) == ["input_audio_buffer.speech_started", *MESSAGE_ENDS, *DONE]
    assert stage.queued == []


@pytest.mark.row("E5")
def test_a_client_cancels_the_answer_and_what_sounds_goes_on() -> None:
    stage = Stage()
    stage.say(STORY)
    stage.think()
    stage.synthesize()
    stage.play()
    assert types(stage.send("response.cancel")) == [*MESSAGE_ENDS, *DONE]
    details = stage.last("response.done")["response"]["status_details"]
    assert details == {"type": "cancelled", "reason": "client_cancelled"}
    assert types(stage.drain()) == [STOPPED]


def test_a_cancel_between_two_sentences_ends_the_sound_too() -> None:
    stage = Stage()
    stage.say(STORY)
    stage.think()
    stage.synthesize()
    assert stage.drain()[-1]["type"] == DELTA
    assert types(stage.send("response.cancel")) == [*MESSAGE_ENDS, *DONE, STOPPED]


def test_a_cancel_before_the_first_sample_leaves_silence() -> None:
    stage = Stage()
    stage.say(STORY)
    stage.think()
    stage.synthesize()
    assert types(stage.send("response.cancel")) == [*MESSAGE_ENDS, *DONE]
    assert stage.drain() == []


@pytest.mark.row("E5")
def test_a_client_cancels_and_clears() -> None:
    stage = Stage()
    stage.say(STORY)
    stage.think()
    stage.synthesize()
    stage.play()
    stage.send("response.cancel")
    assert types(stage.send("output_audio_buffer.clear", heard_ms=100)) == [CLEARED, TRUNCATED]
    assert stage.send("output_audio_buffer.clear") == []


def test_a_cleared_answer_that_goes_on_is_announced_again() -> None:
    stage = Stage()
    stage.say(STORY)
    stage.think()
    stage.synthesize()
    stage.play()
    assert types(stage.send("output_audio_buffer.clear")) == [CLEARED, TRUNCATED]
    stage.synthesize()
    assert types(stage.play())[0] == STARTED
    stage.answer()
    assert types(stage.drain()) == [STOPPED]


def test_a_clear_before_the_first_sample_loses_the_sound_and_keeps_the_words() -> None:
    stage = Stage()
    stage.say(GREETING)
    stage.think()
    stage.synthesize()
    assert types(stage.send("output_audio_buffer.clear")) == [DELTA] * 5
    stage.answer()
    assert stage.last("response.done")["response"]["status"] == "completed"


@pytest.mark.row("E5")
@pytest.mark.row("D3")
def test_without_interrupt_response_the_answer_goes_on() -> None:
    stage = Stage({"audio": {"input": {"turn_detection": {"interrupt_response": False}}}})
    stage.say(STORY)
    stage.think()
    stage.synthesize()
    stage.play()
    assert types(stage.utter()) == UTTERED
    stage.answer()
    assert stage.last("response.done")["response"]["status"] == "completed"


@pytest.mark.row("D3")
def test_without_create_response_nobody_answers_until_asked() -> None:
    stage = Stage({**TRANSCRIBES, "audio": {"input": {"turn_detection": {"create_response": False}}}})
    assert types(stage.say(GREETING)) == UTTERED
    assert types(stage.send("response.create")) == ["response.created"]
    assert [order.question.heard for order in stage.pending(Think)] == [GREETING]


def test_two_answers_one_after_the_other_sound_one_after_the_other() -> None:
    stage = Stage()
    stage.say(GREETING)
    stage.answer()
    stage.send("response.create")
    stage.think(REPLIES[GREETING])
    assert stage.synthesize() == []
    assert types(stage.drain()) == [STOPPED]
    assert types(stage.play())[0] == STARTED


# What the recognizer does not know, and what nobody asked it


def test_a_failed_transcription_is_told_and_answered_all_the_same() -> None:
    stage = Stage()
    stage.utter()
    (event,) = stage.hear(None)
    assert event["type"] == "conversation.item.input_audio_transcription.failed"
    assert set(event["error"]) == {"type", "code", "message"}
    assert [order.question.heard for order in stage.pending(Think)] == [""]


def test_without_transcription_the_words_are_heard_but_not_told() -> None:
    stage = Stage({"audio": {"input": {"transcription": None}}})
    stage.utter()
    assert stage.hear(GREETING) == []
    assert [order.question.heard for order in stage.pending(Think)] == [GREETING]
    item_id = stage.last("input_audio_buffer.committed")["item_id"]
    (retrieved,) = stage.send("conversation.item.retrieve", item_id=item_id)
    assert retrieved["item"]["content"] == [{"type": "input_audio", "transcript": None}]


def test_an_answer_does_not_wait_for_an_item_that_was_deleted() -> None:
    stage = Stage()
    stage.utter()
    item_id = stage.last("input_audio_buffer.committed")["item_id"]
    assert types(stage.send("conversation.item.delete", item_id=item_id)) == ["conversation.item.deleted"]
    assert [order.question.heard for order in stage.pending(Think)] == [""]
    assert stage.hear("too late") == []


def test_an_engine_that_fails_ends_the_response_and_not_the_session() -> None:
    stage = Stage()
    stage.say(STORY)
    stage.think()
    (order,) = stage.pending(Speak)
    assert types(stage.fail()) == [*MESSAGE_ENDS, *DONE]
    response = stage.last("response.done")["response"]
    assert (response["status"], response["status_details"]["type"]) == ("failed", "failed")
    assert response["status_details"]["error"]["code"] == "engine_failed"
    assert stage.take(stage.dialogue.failed(order.response_id)) == []
    assert stage.say(GREETING)


# Text


@pytest.mark.row("E8")
def test_a_text_response_has_text_parts_and_no_sound() -> None:
    stage = Stage({"output_modalities": ["text"]})
    stage.say(GREETING)
    told = types(stage.think())
    assert told == [
        *MESSAGE_BEGINS,
        *["response.output_text.delta"] * 8,
        "response.output_text.done",
        "response.content_part.done",
        *ITEM_ENDS,
        *DONE,
    ]
    assert not stage.pending(Speak)
    response = stage.last("response.done")["response"]
    assert response["output"][0]["content"] == [{"type": "output_text", "text": "Yes, I can hear you. How are you?"}]
    assert response["output_modalities"] == ["text"]


@pytest.mark.row("E8")
def test_one_response_may_be_text_where_the_session_speaks() -> None:
    stage = Stage()
    message = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": GREETING}]}
    stage.send("conversation.item.create", item=message)
    stage.send("response.create", response={"output_modalities": ["text"], "metadata": {"purpose": "note"}})
    stage.think()
    response = stage.last("response.done")["response"]
    assert (response["output_modalities"], response["metadata"]) == (["text"], {"purpose": "note"})
    assert stage.dialogue.opened()[0].event["session"]["output_modalities"] == ["audio"]  # type: ignore[union-attr]


# Turn detection


@pytest.mark.row("O5")
def test_without_turn_detection_the_client_commits_and_asks() -> None:
    stage = Stage({"audio": {"input": {"transcription": {}, "turn_detection": None}}})
    assert [type(order) for order in stage.orders] == [DetectNothing]
    assert types(stage.send("input_audio_buffer.clear")) == ["input_audio_buffer.cleared"]
    stage.clock = 2000
    assert types(stage.send("input_audio_buffer.commit")) == COMMITTED
    assert stage.pending(Transcribe)[0].start_ms == 0
    assert stage.pending(Transcribe)[0].end_ms == 2000
    assert types(stage.send("response.create")) == ["response.created"]
    stage.hear(GREETING)
    stage.answer()
    assert stage.last("response.done")["response"]["status"] == "completed"


def test_what_was_cleared_is_not_committed() -> None:
    stage = Stage({"audio": {"input": {"turn_detection": None}}})
    stage.clock = 2000
    stage.send("input_audio_buffer.clear")
    assert stage.pending(ClearInput)
    stage.clock = 2097  # the resampler may hold back 2 ms of a tenth of a second
    assert stage.refusal("input_audio_buffer.commit")["code"] == "input_audio_buffer_commit_empty"
    stage.clock = 2100
    stage.send("input_audio_buffer.commit")
    assert (stage.pending(Transcribe)[0].start_ms, stage.pending(Transcribe)[0].end_ms) == (2000, 2100)


def test_a_commit_in_the_middle_of_speech_makes_two_items_of_it() -> None:
    stage = Stage()
    stage.start_speaking()
    stage.clock += 500
    committed = stage.send("input_audio_buffer.commit")
    stage.stop_speaking()
    first, second = (event["item_id"] for event in stage.all("input_audio_buffer.committed"))
    assert first == stage.last("input_audio_buffer.speech_started")["item_id"] == committed[0]["item_id"]
    assert second == stage.last("input_audio_buffer.speech_stopped")["item_id"] != first
    assert stage.pending(Transcribe)[1].start_ms >= stage.pending(Transcribe)[0].end_ms


def test_the_detector_is_told_of_each_change_and_of_nothing_else() -> None:
    stage = Stage()
    assert stage.pending(Detect) == [Detect(0.5, 300, 500)]
    stage.orders.clear()
    stage.send("session.update", session={"type": "realtime", "instructions": "Be kind."})
    assert stage.orders == []
    numbers = {"type": "server_vad", "threshold": 1, "silence_duration_ms": 200}
    stage.send("session.update", session={"audio": {"input": {"turn_detection": numbers}}})
    stage.send("session.update", session={"audio": {"input": {"turn_detection": None}}})
    stage.send("session.update", session={"audio": {"input": {"turn_detection": {"type": "semantic_vad"}}}})
    assert stage.orders == [Detect(1, 300, 200), DetectNothing(), Detect(0.5, 300, 700)]


# Limits


def test_an_answer_ends_where_max_output_tokens_says() -> None:
    stage = Stage({"max_output_tokens": 6, "tools": TOOLS})
    stage.say(GREETING)
    stage.answer()
    response = stage.last("response.done")["response"]
    assert (response["status"], response["max_output_tokens"]) == ("incomplete", 6)
    assert response["status_details"] == {"type": "incomplete", "reason": "max_output_tokens"}
    assert response["output"][0]["status"] == "incomplete"
    assert response["output"][0]["content"][0]["transcript"] == "Yes, I can hear you. How"
    assert response["usage"]["output_tokens"] == 6


def test_a_call_beyond_max_output_tokens_is_not_made() -> None:
    stage = Stage({"max_output_tokens": 1, "tools": TOOLS})
    stage.say(MEMORY)
    stage.answer()
    assert [item["type"] for item in stage.last("response.done")["response"]["output"]] == ["message"]


def test_an_event_shows_its_item_as_it_was_then() -> None:
    stage = Stage()
    stage.say(GREETING)
    assert stage.last("conversation.item.added")["item"]["content"][0]["transcript"] is None
    stage.answer()
    added = stage.all("response.output_item.added")[0]["item"]
    assert (added["status"], added["content"]) == ("in_progress", [])


@pytest.mark.row("O8")
def test_the_same_talk_gives_the_same_events() -> None:
    def talk() -> list[dict[str, object]]:
        stage = Stage()
        for text in (GREETING, MEMORY, ASIDE, STORY):
            stage.say(text)
            stage.answer()
            stage.drain()
        return stage.events

    assert talk() == talk()
