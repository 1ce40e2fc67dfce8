"""What is heard of the answers, and how they are cut."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from couchvoice.core import server_events as server
from couchvoice.core.client_events import OutputBufferClear, ResponseCancel
from couchvoice.core.ear import STOPPED_TIMEOUT, Ear
from couchvoice.core.effects import FlushPlayback, SendEvent
from couchvoice.core.notices import AssistantTranscript, Interrupted, Problem, StateChanged
from couchvoice.core.session import Session
from couchvoice.core.state import SessionState
from couchvoice.core.turn import Outcome
from couchvoice.core.turns import TurnLedger
from tests.core.conftest import listening
from tests.core.talk import (
    CANCEL,
    CLEAR,
    START,
    answered,
    buffer_cleared,
    buffer_started,
    buffer_stopped,
    created,
    done,
    feed,
    of,
    said,
    sent,
    speaking,
    spoken,
    states,
    texts,
    turns,
    wait,
)

SPEECH = server.SpeechStarted(item_id="u9")


def message(*parts: server.ContentPart) -> list[server.Item]:
    return [server.Item(id="a1", type="message", role="assistant", content=list(parts))]


# Words


@pytest.mark.row("E3")
def test_the_words_of_all_outputs_are_one_text(session: Session) -> None:
    effects = feed(session, *said("u1", "Hi"), created("r1"), spoken("r1", "Let me"), spoken("r1", " look."))
    effects += feed(session, spoken("r1", "Done.", output_index=1), done("r1"))
    assert of(AssistantTranscript, effects) == [
        AssistantTranscript("r1", "Let me", final=False),
        AssistantTranscript("r1", "Let me look.", final=False),
        AssistantTranscript("r1", "Let me look. Done.", final=False),
        AssistantTranscript("r1", "Let me look. Done.", final=True),
    ]


@pytest.mark.row("E3")
def test_the_final_words_replace_the_deltas(session: Session) -> None:
    final = server.AudioTranscriptDone(response_id="r1", transcript="Hello.")
    effects = feed(session, created("r1"), spoken("r1", "Helo"), final, final, done("r1"))
    assert [notice.text for notice in of(AssistantTranscript, effects)] == ["Helo", "Hello.", "Hello."]


@pytest.mark.row("E3")
def test_the_words_of_a_server_without_deltas_are_in_its_response_done(session: Session) -> None:
    output = message(server.ContentPart(type="output_audio", transcript="Hello."))
    effects = feed(session, created("r1"), done("r1", output=output))
    assert of(AssistantTranscript, effects) == [AssistantTranscript("r1", "Hello.", final=True)]
    assert texts(wait(session, START + 0.5)) == []
    assert texts(wait(session, START + 5.5)) == [("", "Hello.")]


@pytest.mark.row("E3", "I5")
def test_what_was_said_before_the_cut_is_kept_though_the_server_truncates(session: Session) -> None:
    feed(session, *said("u1", "Go on"), *speaking("r1", "Once upon a"), SPEECH)
    output = message(server.ContentPart(type="output_audio", transcript="Once"), server.ContentPart(text="more"))
    effects = feed(session, done("r1", "cancelled", output))
    assert of(AssistantTranscript, effects) == [
        AssistantTranscript("r1", "Once upon a more", final=True, interrupted=True)
    ]


def test_the_buffer_of_a_response_that_nobody_knows_is_nothing(session: Session) -> None:
    assert feed(session, buffer_started("r7"), buffer_stopped("r7"), buffer_cleared("r7")) == []


def test_the_words_of_a_response_that_was_not_announced_are_its_beginning(session: Session) -> None:
    feed(session, *said("u1", "Hello"), spoken("r7", "Hi"), done("r7"))
    assert texts(wait(session, START + 1)) == [("Hello", "Hi")]


def test_a_delta_after_the_final_text_changes_nothing(session: Session) -> None:
    feed(session, *said("u1", "Hello"), created("r1"), spoken("r1", "Hi"))
    final = server.AudioTranscriptDone(response_id="r1", transcript="Hi there")
    feed(session, final, done("r1"), spoken("r1", " there"))
    assert texts(wait(session, START + 1)) == [("Hello", "Hi there")]


def test_a_buffer_that_nobody_stops_is_over_when_the_speaker_has_been_quiet(session: Session) -> None:
    feed(session, *said("u1", "Hello"), created("r1"), spoken("r1", "Hi"), buffer_started("r1"))
    session.playback_changed(START + 1, audible=True)
    feed(session, done("r1"))
    session.playback_changed(START + 3, audible=False)
    assert not texts(wait(session, START + 7))
    assert texts(wait(session, START + 3 + STOPPED_TIMEOUT)) == [("Hello", "Hi")]


def test_words_without_a_case_of_their_own_are_a_bug_and_not_ignored() -> None:
    ledger = TurnLedger("s")
    ledger.response_created("r1")
    with pytest.raises(AssertionError):
        Ear(ledger, speaks_text=False).wrote(SimpleNamespace(response_id="r1", output_index=0, content_index=0), START)  # type: ignore[arg-type]


def test_words_after_response_done_are_recorded_but_not_told_again(session: Session) -> None:
    late = server.AudioTranscriptDone(response_id="r1", transcript="Hi there")
    effects = feed(session, *said("u1", "Hello"), *speaking("r1", "Hi"), done("r1"), late, buffer_stopped("r1"))
    assert of(AssistantTranscript, effects)[-1] == AssistantTranscript("r1", "Hi", final=True)
    assert texts(effects) == [("Hello", "Hi there")]


@pytest.mark.row("E7")
def test_an_answer_in_text_only_is_over_with_response_done(session: Session) -> None:
    delta = server.TextDelta(response_id="r1", delta="Hel")
    final = server.TextDone(response_id="r1", text="Hello.")
    output = message(server.ContentPart(type="output_text", text="Hello."))
    effects = feed(session, *said("u1", "Hi"), created("r1"), delta, final, done("r1", output=output))
    assert texts(effects) == [("Hi", "Hello.")]
    assert SessionState.ASSISTANT_SPEAKING not in states(effects)


def test_a_response_that_failed_is_a_problem(session: Session) -> None:
    details = server.StatusDetails(error=server.ErrorDetail(code="rate_limit_exceeded", message="slow down"))
    failed = server.Response(id="r1", status="failed", status_details=details)
    effects = feed(session, server.ResponseDone(response=failed), created("r2"), done("r2", "failed"))
    assert of(Problem, effects) == [
        Problem("rate_limit_exceeded", "slow down"),
        Problem("response_failed", "the response failed"),
    ]


# Sound


@pytest.mark.row("E4")
def test_the_assistant_speaks_from_started_to_stopped_not_to_response_done(session: Session) -> None:
    effects = feed(session, *said("u1", "Hi"), created("r1"), spoken("r1", "Hello"))
    assert session.state is SessionState.THINKING
    effects = feed(session, buffer_started("r1"), done("r1"))
    assert states(effects) == [SessionState.ASSISTANT_SPEAKING]
    assert states(feed(session, buffer_stopped("r1"))) == [SessionState.LISTENING]


@pytest.mark.row("I1")
def test_without_buffer_events_and_sound_the_answer_is_over_half_a_second_after_response_done(session: Session) -> None:
    feed(session, *said("u1", "Hi"), created("r1"), spoken("r1", "Hello"), done("r1"))
    assert not turns(wait(session, START + 0.49))
    assert texts(wait(session, START + 0.5)) == [("Hi", "Hello")]


@pytest.mark.row("I1", "E4")
def test_without_buffer_events_the_answer_is_over_when_playback_has_drained(session: Session) -> None:
    feed(session, *said("u1", "Hi"), created("r1"), spoken("r1", "Hello"), at=START)
    effects = session.playback_changed(START + 0.2, audible=True)
    assert states(effects) == [SessionState.ASSISTANT_SPEAKING]
    effects = feed(session, done("r1"), at=START + 0.3) + wait(session, START + 20)
    assert not turns(effects)
    effects = session.playback_changed(START + 20, audible=False)
    assert states(effects) == [SessionState.LISTENING]
    (turn,) = turns(effects)
    assert turn.timings["response_ms"] == 200.0


def test_playback_that_drained_before_response_done_does_not_end_the_answer(session: Session) -> None:
    feed(session, *said("u1", "Hi"), created("r1"), spoken("r1", "Hello"))
    session.playback_changed(START, audible=True)
    assert not turns(session.playback_changed(START + 1, audible=False))
    assert texts(feed(session, done("r1"), at=START + 2) + wait(session, START + 3)) == [("Hi", "Hello")]


def test_a_sound_that_never_stops_does_not_hold_the_turn_for_ever(session: Session) -> None:
    feed(session, *said("u1", "Hi"), *speaking("r1", "Hello"), done("r1"))
    assert not turns(wait(session, START + 299))
    assert texts(wait(session, START + 300)) == [("Hi", "Hello")]


def test_what_begins_to_sound_ends_what_sounded_before(session: Session) -> None:
    feed(session, *said("u1", "One"), *speaking("r1", "First"), done("r1"))
    feed(session, created("r2"), buffer_started("r2"), buffer_started("r2"), spoken("r2", "Second"), done("r2"))
    assert texts(feed(session, buffer_stopped("r2"))) == [("One", "First Second")]


def test_an_end_of_sound_before_response_done_ends_the_answer_with_that(session: Session) -> None:
    feed(session, *said("u1", "Hi"), *speaking("r1", "Hello"))
    assert not turns(feed(session, buffer_stopped("r1"), buffer_started("r1")))
    assert texts(feed(session, done("r1"))) == [("Hi", "Hello")]


# Cuts


@pytest.mark.row("E5")
def test_speech_over_the_answer_silences_it_before_anything_else(session: Session) -> None:
    feed(session, *said("u1", "Go on"), *speaking("r1", "Once upon"))
    assert feed(session, SPEECH) == [
        FlushPlayback(),
        Interrupted(response_id="r1"),
        StateChanged(SessionState.USER_SPEAKING),
    ]


@pytest.mark.row("E5")
def test_speech_sends_nothing_for_the_server_cancels_by_itself(session: Session) -> None:
    feed(session, *said("u1", "Go on"), *speaking("r1", "Once upon"))
    assert sent(feed(session, SPEECH, done("r1", "cancelled"), buffer_cleared("r1"))) == []


@pytest.mark.row("E5", "I5")
def test_speech_after_response_done_while_it_plays_is_an_interruption(session: Session) -> None:
    feed(session, *said("u1", "Go on"), *speaking("r1", "Once upon"), done("r1"))
    effects = feed(session, SPEECH, buffer_cleared("r1"))
    assert len(of(FlushPlayback, effects)) == len(of(Interrupted, effects)) == 1
    (turn,) = turns(effects)
    assert turn.outcome is Outcome.INTERRUPTED


@pytest.mark.row("E5", "I5")
def test_a_cleared_buffer_alone_is_an_interruption(session: Session) -> None:
    feed(session, *said("u1", "Go on"), *speaking("r1", "Once upon"), done("r1"))
    effects = feed(session, buffer_cleared("r1"))
    assert effects[:2] == [FlushPlayback(), Interrupted(response_id="r1")]
    assert [turn.outcome for turn in turns(effects)] == [Outcome.INTERRUPTED]


def test_a_buffer_that_is_cleared_after_it_was_heard_out_changes_nothing(session: Session) -> None:
    feed(session, *said("u1"), *answered("r1", "Hello"))
    assert feed(session, buffer_cleared("r1")) == []


@pytest.mark.row("E5")
def test_where_speech_does_not_interrupt_nothing_is_flushed() -> None:
    session = listening(interrupt_response=False)
    feed(session, *said("u1", "Go on"), *speaking("r1", "Once upon"))
    assert states(feed(session, SPEECH)) == [SessionState.USER_SPEAKING]
    assert session.receive(done("r1"), START) == [AssistantTranscript("r1", "Once upon", final=True)]
    assert [turn.outcome for turn in turns(feed(session, buffer_stopped("r1")))] == [Outcome.COMPLETED]


@pytest.mark.row("E5")
def test_the_servers_word_on_interruption_is_followed_when_it_changes(session: Session) -> None:
    config = {"audio": {"input": {"turn_detection": {"interrupt_response": False}}}}
    feed(session, server.SessionUpdated(session=config), server.SessionUpdated(session={"type": "realtime"}))
    feed(session, *speaking("r1", "Once upon"))
    assert not of(FlushPlayback, feed(session, SPEECH))


@pytest.mark.row("E5")
def test_speech_in_silence_flushes_nothing(session: Session) -> None:
    assert feed(session, SPEECH) == [StateChanged(SessionState.USER_SPEAKING)]


def test_speech_after_an_answer_of_which_nobody_told_the_end_is_no_interruption(session: Session) -> None:
    feed(session, *said("u1", "Hi"), created("r1"), spoken("r1", "Hello"), done("r1"))
    assert not of(Interrupted, feed(session, SPEECH, at=START + 0.3))
    assert [turn.outcome for turn in turns(wait(session, START + 1))] == [Outcome.COMPLETED]


@pytest.mark.row("E5")
def test_speech_over_an_answer_without_buffer_events_cuts_it(session: Session) -> None:
    feed(session, *said("u1", "Hi"), created("r1"), spoken("r1", "Hello"), done("r1"))
    session.playback_changed(START, audible=True)
    effects = feed(session, SPEECH, at=START + 2)
    assert effects[:2] == [FlushPlayback(), Interrupted(response_id="r1")]
    assert [turn.outcome for turn in turns(effects)] == [Outcome.INTERRUPTED]


@pytest.mark.row("E5")
def test_sound_of_an_answer_that_was_thought_over_is_flushed_all_the_same(session: Session) -> None:
    feed(session, *said("u1", "Hi"), *answered("r1", "Hello"))
    session.playback_changed(START, audible=True)
    assert feed(session, SPEECH) == [FlushPlayback(), StateChanged(SessionState.USER_SPEAKING)]


def test_an_answer_that_was_cut_before_it_sounded_does_not_sound_later(session: Session) -> None:
    feed(session, *said("u1", "Hi"), created("r1"), spoken("r1", "Hel"), SPEECH)
    assert SessionState.ASSISTANT_SPEAKING not in states(feed(session, buffer_started("r1"), spoken("r1", "lo")))


def test_an_answer_that_the_server_cancels_before_it_sounds_is_over_at_once() -> None:
    session = listening(interrupt_response=False)
    feed(session, *said("u1", "Hi"), created("r1"), spoken("r1", "Hel"))
    assert [turn.outcome for turn in turns(feed(session, done("r1", "cancelled")))] == [Outcome.INTERRUPTED]


@pytest.mark.row("E5")
def test_interrupting_by_hand_cancels_what_runs_and_clears_what_plays(session: Session) -> None:
    feed(session, *said("u1", "Go on"), *speaking("r1", "Once upon"))
    effects = session.interrupt(START)
    assert [type(effect.event) for effect in of(SendEvent, effects)] == [ResponseCancel, OutputBufferClear]
    assert effects[:2] == [FlushPlayback(), Interrupted(response_id="r1")]
    (turn,) = turns(feed(session, done("r1", "cancelled"), buffer_cleared("r1")))
    assert turn.outcome is Outcome.INTERRUPTED


@pytest.mark.row("E5")
def test_interrupting_by_hand_cancels_only_what_is_active(session: Session) -> None:
    feed(session, *said("u1", "Go on"), *speaking("r1", "Once upon"), done("r1"))
    assert sent(session.interrupt(START)) == [CLEAR]
    assert sent(session.interrupt(START)) == []


@pytest.mark.row("E5")
def test_interrupting_by_hand_before_the_first_word_ends_the_turn(session: Session) -> None:
    feed(session, *said("u1", "Go on"), created("r1"))
    assert sent(session.interrupt(START)) == [CANCEL]
    effects = feed(session, done("r1", "cancelled"))
    assert [(turn.user_text, turn.outcome) for turn in turns(effects)] == [("Go on", Outcome.INTERRUPTED)]
    assert session.state is SessionState.LISTENING
    assert session.settled
