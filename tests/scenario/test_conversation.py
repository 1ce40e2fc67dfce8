"""A conversation that a test holds step by step."""

from __future__ import annotations

import time
import wave
from collections.abc import Callable
from pathlib import Path

import pytest

from couchvoice.audio.meter import SILENCE_DB
from couchvoice.errors import ConfigError
from couchvoice.scenario.collect import SHIPPED
from couchvoice.scenario.conversation import Conversation

pytestmark = [pytest.mark.row("P8"), pytest.mark.timeout(60)]

STORY = "Please tell me a long story."
QUIET = -50.0  # dBFS: nobody speaks
ENOUGH = "Stop, that is enough, thank you."


def test_an_interruption_is_measured(conversation: Conversation) -> None:
    conversation.say(STORY)
    conversation.interrupt(ENOUGH, after_ms=1000)
    reply = conversation.reply()
    assert reply.interrupted
    assert reply.audible
    assert reply.stop_ms is not None
    assert reply.stop_ms < 200
    assert reply.text.endswith("Of course. I am listening.")


def test_time_stands_still_while_the_test_thinks(conversation: Conversation) -> None:
    conversation.say(STORY)
    conversation.wait("answer")
    began = conversation.seconds
    time.sleep(0.05)  # the thinking
    assert conversation.seconds == began
    conversation.interrupt()
    assert conversation.reply().outcome == "interrupted"


def test_the_meter_shows_who_is_loud(conversation: Conversation, tmp_path: Path) -> None:
    assert conversation.levels == (SILENCE_DB, SILENCE_DB)
    conversation.silence(200)
    assert conversation.levels.input < QUIET
    conversation.say(cut_short(tmp_path / "cut-short.wav"))
    assert conversation.levels.input > QUIET
    conversation.type("Thank you very much.")
    conversation.wait("answer")
    conversation.silence(300)
    assert conversation.levels.output > QUIET


def cut_short(path: Path) -> Path:
    """Speech that ends with its loudest part, so that the meter shows it when it was said."""
    with wave.open(str(SHIPPED / "speech" / "hello-8k-mono.wav")) as whole, wave.open(str(path), "wb") as part:
        part.setparams(whole.getparams())
        part.writeframes(whole.readframes(whole.getframerate()))
    path.with_suffix(".txt").write_text("Hello, can you\n")
    return path


def test_muted_nobody_is_heard(conversation: Conversation) -> None:
    conversation.mute()
    conversation.say(ENOUGH)
    conversation.silence(1000)
    assert conversation.reply().user == ""
    conversation.unmute()
    conversation.say(ENOUGH)
    assert conversation.reply().user == ENOUGH


@pytest.mark.couchvoice(memory="persistent")
def test_a_thread_goes_on_after_a_restart(conversation: Conversation) -> None:
    conversation.type("I feel sad today.")
    assert conversation.reply().recorded
    conversation.hang_up()
    assert conversation.finalized
    conversation.restart()
    conversation.connect()
    conversation.type("What did we talk about last time?")
    assert "I feel sad today." in conversation.reply().text


@pytest.mark.row("P9")
def test_weather_and_faults_change_as_it_goes_on(conversation: Conversation) -> None:
    conversation.weather({"name": "delay", "delay": 0.3})
    conversation.faults(show_memory_status={"fault": "error", "status": 503})
    conversation.type("Is memory on?")
    reply = conversation.reply()
    assert [(call.name, call.status) for call in reply.calls] == [("show_memory_status", "failed")]
    assert reply.text.endswith("I could not find out whether memory is on.")
    conversation.faults(show_memory_status=None)
    conversation.weather("clear")
    conversation.type("Is memory on?")
    assert conversation.reply().calls[0].status == "completed"


def test_what_does_not_come_is_an_assertion_error(conversation: Conversation) -> None:
    conversation.type("Thank you very much.")
    with pytest.raises(AssertionError, match="no tool within 1 s"):
        conversation.wait("tool", within=1)
    with pytest.raises(AssertionError, match="the talk is open already"):
        conversation.connect()


def test_a_call_that_cannot_be_is_a_config_error(conversation: Conversation) -> None:
    for mistake in (
        lambda: conversation.expect(asistant="x"),
        lambda: conversation.faults(show_memory_status="sloow"),
        lambda: conversation.weather("hail"),
    ):
        with pytest.raises(ConfigError):
            mistake()


def test_a_conversation_that_nobody_begins_starts_nothing(
    hold_conversation: Callable[..., Conversation], tmp_path: Path
) -> None:
    conversation = hold_conversation()
    assert conversation.story() == "nothing happened"
    assert conversation.finalized is None


@pytest.mark.parametrize(
    ("mistake", "why"),
    [
        (lambda conversation: conversation.say("gone.wav"), "cannot play .*gone.wav: no such file"),
        (lambda conversation: conversation.weather("hail"), 'no weather is called "hail"'),
        (lambda conversation: conversation.faults(end="sloow"), "Invalid enum value 'sloow'"),
    ],
)
def test_of_a_mistake_the_reader_is_shown_nothing_of_ours(
    conversation: Conversation, mistake: Callable[[Conversation], None], why: str
) -> None:
    with pytest.raises(ConfigError, match=why) as caught:
        mistake(conversation)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__
