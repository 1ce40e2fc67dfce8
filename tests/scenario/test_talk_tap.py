"""The tap: a real talk, written down by somebody who changes nothing in it."""

import json

import numpy as np
import pytest

from couchvoice.audio.frames import SAMPLE_RATE, is_audible
from couchvoice.audio.opus import OpusDecoder
from couchvoice.scenario import media_clock
from couchvoice.scenario.talk_record import RawEvent, State, Step, ToolSpan, TurnEntry, Words
from tests.scenario.held import ANSWER, QUESTION, hold_talk

MEMORY_QUESTION = "Is memory on?"


@pytest.mark.row("P6", "P7")
def test_what_was_said_and_what_was_heard_stand_on_one_timeline_with_the_events():
    record = media_clock.run(hold_talk(QUESTION))
    assert record.outcome == "passed"
    sent = [json.loads(event.text)["type"] for event in record.of(RawEvent) if event.who == "client"]
    assert sent == ["conversation.item.create", "response.create"]
    (started,) = [event.at for event in record.of(RawEvent) if '"output_audio_buffer.started"' in event.text]
    (stopped,) = [event.at for event in record.of(RawEvent) if '"output_audio_buffer.stopped"' in event.text]
    first_sound = (
        next(at for at in range(0, record.heard.size, 480) if is_audible(record.heard[at : at + 480])) / SAMPLE_RATE
    )
    assert started <= first_sound < started + 0.5
    assert not is_audible(record.heard[: round(started * SAMPLE_RATE)])
    assert abs(record.said.size / SAMPLE_RATE - record.seconds) < 1.0
    assert is_audible(record.heard[round((stopped - 0.5) * SAMPLE_RATE) :])
    assert not is_audible(record.said)  # it was typed
    assert record.of(TurnEntry)[0].assistant_text.startswith(ANSWER)
    decoder = OpusDecoder()
    sound = np.concatenate([decoder.decode(packet.payload) for packet in record.packets])
    loud = [np.abs(samples.astype(np.int32)).sum() for samples in (sound, record.heard)]
    assert loud[1] == pytest.approx(loud[0], rel=0.1)
    steps = np.diff([packet.timestamp for packet in record.packets])
    assert np.median(steps) == 960


@pytest.mark.row("P7")
def test_states_words_turns_and_tools_are_written_down_in_the_order_of_their_times():
    record = media_clock.run(hold_talk(MEMORY_QUESTION))
    assert [state.state for state in record.of(State)][:3] == ["connecting", "warming", "listening"]
    (step,) = record.of(Step)
    assert step.line == "greeting.yaml:3"
    (tool,) = record.of(ToolSpan)
    assert (tool.name, tool.status, tool.arguments) == ("show_memory_status", "completed", "{}")
    assert tool.until is not None
    assert "memory" in json.dumps(tool.output)
    (turn,) = record.of(TurnEntry)
    assert (turn.user_text, turn.tool_calls) == (MEMORY_QUESTION, ("show_memory_status",))
    assert any(words.who == "assistant" for words in record.of(Words))
    times = [entry.at for entry in record.entries]
    assert times == sorted(times)
    assert len(record.figures["tool_ms"]) == 1
