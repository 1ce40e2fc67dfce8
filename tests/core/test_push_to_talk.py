"""Push-to-talk: what a press leads to, and that an answer is asked for once the server has the words."""

from __future__ import annotations

import pytest

from couchvoice.core import server_events as server
from couchvoice.core.effects import FlushPlayback
from couchvoice.core.notices import Interrupted, Problem
from couchvoice.core.push_to_talk import COMMIT_DELAY, COMMIT_TIMEOUT, MIN_PRESS
from couchvoice.core.session import Session
from couchvoice.core.session_update import turn_detection_of
from couchvoice.core.state import SessionState
from couchvoice.core.turn import Outcome
from couchvoice.errors import InvalidState, NotConnected
from tests.core.conftest import listening
from tests.core.talk import (
    CANCEL,
    CLEAR,
    CREATE,
    START,
    answered,
    asked,
    buffer_stopped,
    call_item,
    called,
    created,
    done,
    error,
    feed,
    of,
    sent,
    speaking,
    states,
    texts,
    transcript,
    turns,
    wait,
)

COMMIT = "input_audio_buffer.commit"
CLEAR_INPUT = "input_audio_buffer.clear"
EMPTY = "input_audio_buffer_commit_empty"
PRESS = 2.0  # seconds, as long as words take
RELEASED = START + PRESS
COMMITTED = RELEASED + COMMIT_DELAY


@pytest.fixture
def manual() -> Session:
    """A session in which nobody but the client says when the user speaks."""
    session = listening()
    session.update(turn_detection_of(None), START)
    feed(session, server.SessionUpdated(session={"type": "realtime"}))
    return session


def committed(item_id: str) -> list[server.ServerEvent]:
    item = server.Item(id=item_id, type="message", role="user")
    return [server.InputCommitted(item_id=item_id), server.ItemAdded(item=item)]


def press(session: Session, at: float = START) -> list[object]:
    """Speak for a while and let go; the commit has gone out."""
    effects = session.begin_speaking(at) + session.end_speaking(at + PRESS)
    return [*effects, *wait(session, at + PRESS + COMMIT_DELAY)]


@pytest.mark.row("D11")
def test_an_answer_is_asked_for_when_the_words_are_committed(manual: Session) -> None:
    assert sent(manual.begin_speaking(START)) == [CLEAR_INPUT]
    assert sent(manual.end_speaking(RELEASED)) == []
    assert sent(wait(manual, COMMITTED)) == [COMMIT]
    assert sent(feed(manual, *committed("u1"), at=COMMITTED)) == [CREATE]


@pytest.mark.row("D11")
def test_the_commit_waits_for_the_sound_that_is_on_its_way(manual: Session) -> None:
    manual.begin_speaking(START)
    manual.end_speaking(RELEASED)
    assert sent(wait(manual, COMMITTED - 0.01)) == []
    assert manual.next_timeout() == COMMITTED


@pytest.mark.row("D11", "E4")
def test_the_states_are_those_of_any_turn(manual: Session) -> None:
    effects = press(manual) + feed(manual, *committed("u1"), *speaking("r1", "Hi", after="u1"), at=COMMITTED)
    effects += feed(manual, done("r1"), buffer_stopped("r1"), at=COMMITTED)
    assert states(effects) == [  # type: ignore[arg-type]
        SessionState.USER_SPEAKING,
        SessionState.THINKING,
        SessionState.ASSISTANT_SPEAKING,
        SessionState.LISTENING,
    ]


@pytest.mark.row("D11", "I1")
def test_what_was_said_is_paired_with_its_answer(manual: Session) -> None:
    press(manual)
    effects = feed(manual, *committed("u1"), *answered("r1", "Hi.", after="u1"), transcript("u1", "Hello."))
    assert texts(effects) == [("Hello.", "Hi.")]
    press(manual, COMMITTED + 1)
    effects = feed(manual, *committed("u2"), transcript("u2", "More?"), *answered("r2", "No.", after="u2"))
    assert texts(effects) == [("More?", "No.")]
    assert manual.settled


@pytest.mark.row("D11", "N4")
def test_the_answers_latency_counts_from_the_release(manual: Session) -> None:
    press(manual)
    feed(manual, *committed("u1"), at=COMMITTED + 0.1)
    feed(manual, *speaking("r1", "Hi."), at=RELEASED + 0.8)
    (turn,) = turns(feed(manual, done("r1"), buffer_stopped("r1"), transcript("u1", "Hello."), at=RELEASED + 2))
    assert turn.timings["response_ms"] == 800.0


@pytest.mark.row("D11")
def test_a_press_too_short_for_words_asks_for_nothing(manual: Session) -> None:
    manual.begin_speaking(START)
    assert sent(manual.end_speaking(START + MIN_PRESS / 2)) == [CLEAR_INPUT]
    assert sent(wait(manual, START + 60)) == []
    assert manual.settled
    assert manual.state is SessionState.LISTENING


@pytest.mark.row("D11", "E5")
@pytest.mark.parametrize("named", [True, False])
def test_a_commit_with_nothing_in_it_asks_for_no_answer_and_is_no_problem(manual: Session, *, named: bool) -> None:
    commit = press(manual)[-1]
    event_id = commit.event.event_id if named else None  # type: ignore[attr-defined]
    effects = feed(manual, error(EMPTY, event_id), at=COMMITTED)
    assert not sent(effects)
    assert not of(Problem, effects)
    assert states(effects) == [SessionState.LISTENING]
    assert manual.settled


@pytest.mark.row("D11")
def test_an_empty_commit_that_is_not_ours_changes_nothing(manual: Session) -> None:
    press(manual)
    assert feed(manual, error(EMPTY, "event_of_another")) == []
    assert feed(listening(), error(EMPTY)) == []
    assert sent(feed(manual, *committed("u1"))) == [CREATE]


@pytest.mark.row("D11")
def test_a_commit_that_was_refused_for_another_reason_is_a_problem(manual: Session) -> None:
    commit = press(manual)[-1]
    effects = feed(manual, error("server_error", commit.event.event_id))  # type: ignore[attr-defined]
    assert of(Problem, effects) == [Problem("server_error", "no")]
    assert not sent(effects)
    assert manual.settled


@pytest.mark.row("D11")
def test_a_commit_that_nobody_answers_is_given_up(manual: Session) -> None:
    press(manual)
    effects = wait(manual, COMMITTED + COMMIT_TIMEOUT)
    assert [problem.code for problem in of(Problem, effects)] == ["commit_timeout"]
    assert manual.settled
    assert not sent(effects)


@pytest.mark.row("D11")
def test_a_commit_that_goes_out_late_is_awaited_as_long_as_any(manual: Session) -> None:
    manual.begin_speaking(START)
    manual.end_speaking(RELEASED)
    assert sent(manual.handle_timeout(RELEASED + 60)) == [COMMIT]
    assert manual.next_timeout() == RELEASED + 60 + COMMIT_TIMEOUT


@pytest.mark.row("D11", "E5")
def test_the_button_interrupts_what_is_being_said(manual: Session) -> None:
    press(manual)
    feed(manual, *committed("u1"), *speaking("r1", "Once upon"), transcript("u1", "A story."))
    effects = manual.begin_speaking(START + 5)
    assert sent(effects) == [CANCEL, CLEAR, CLEAR_INPUT]
    assert of(FlushPlayback, effects)
    assert of(Interrupted, effects)
    (turn,) = turns(feed(manual, done("r1", "cancelled"), at=START + 5) + wait(manual, START + 20))
    assert (turn.assistant_text, turn.outcome) == ("Once upon", Outcome.INTERRUPTED)


@pytest.mark.row("D11")
def test_an_answer_that_was_asked_for_before_the_press_is_cancelled_when_it_begins(manual: Session) -> None:
    press(manual)
    feed(manual, *committed("u1"), transcript("u1", "Wait,"))
    assert sent(manual.begin_speaking(START + 5)) == [CLEAR_INPUT]
    assert sent(feed(manual, created("r1"), at=START + 5)) == [CANCEL]
    feed(manual, done("r1", "cancelled"), at=START + 5)
    manual.end_speaking(START + 7)
    wait(manual, START + 8)
    effects = feed(manual, *committed("u2"), transcript("u2", "tea."), at=START + 8)
    assert sent(effects) == [CREATE]
    assert texts(feed(manual, *answered("r2", "Yes.", after="u2"), at=START + 8)) == [("Wait, tea.", "Yes.")]


@pytest.mark.row("D11")
def test_words_whose_answer_was_cut_by_an_empty_press_are_a_turn_all_the_same(manual: Session) -> None:
    press(manual)
    feed(manual, *committed("u1"), transcript("u1", "Tea?"), created("r1"))
    manual.begin_speaking(START + 5)
    feed(manual, done("r1", "cancelled"), at=START + 5)
    effects = manual.end_speaking(START + 5 + MIN_PRESS / 2) + wait(manual, START + 6)
    assert texts(effects) == [("Tea?", "")]
    assert manual.settled


@pytest.mark.row("D11", "F1")
def test_a_tools_output_does_not_make_the_assistant_speak_while_the_button_is_down(manual: Session) -> None:
    press(manual)
    feed(manual, *committed("u1"), transcript("u1", "Weather?"), *called("r1", call_item("c1")))
    manual.begin_speaking(START + 5)
    assert sent(manual.tool_finished("c1", {}, START + 5)) == ["c1"]
    manual.end_speaking(START + 7)
    wait(manual, START + 8)
    assert sent(feed(manual, *committed("u2"), at=START + 8)) == [CREATE]


@pytest.mark.row("D11", "F1")
def test_what_had_to_wait_for_a_press_without_words_is_asked_for_after_it(manual: Session) -> None:
    press(manual)
    feed(manual, *committed("u1"), transcript("u1", "Weather?"), *called("r1", call_item("c1")))
    manual.begin_speaking(START + 5)
    manual.tool_finished("c1", {}, START + 5)
    assert sent(manual.end_speaking(START + 5)) == [CLEAR_INPUT, CREATE]


@pytest.mark.row("D11")
def test_a_key_that_repeats_presses_once(manual: Session) -> None:
    assert sent(manual.begin_speaking(START)) == [CLEAR_INPUT]
    assert manual.begin_speaking(START + 0.5) == []
    manual.end_speaking(RELEASED)
    assert manual.end_speaking(RELEASED) == []
    assert sent(wait(manual, START + 3)) == [COMMIT]


@pytest.mark.row("D11")
def test_a_button_that_slips_for_a_moment_is_the_same_speech(manual: Session) -> None:
    manual.begin_speaking(START)
    manual.end_speaking(RELEASED)
    assert sent(manual.begin_speaking(RELEASED + COMMIT_DELAY / 2)) == []
    assert manual.state is SessionState.USER_SPEAKING
    assert sent(wait(manual, RELEASED + 1)) == []
    manual.end_speaking(RELEASED + 1)
    assert sent(wait(manual, RELEASED + 2)) == [COMMIT]


@pytest.mark.row("D11")
def test_words_that_are_committed_during_the_next_press_wait_for_its_end(manual: Session) -> None:
    press(manual)
    manual.begin_speaking(COMMITTED)
    assert sent(feed(manual, *committed("u1"), transcript("u1", "Tea,"), at=COMMITTED)) == []
    manual.end_speaking(COMMITTED + PRESS)
    wait(manual, COMMITTED + PRESS + COMMIT_DELAY)
    effects = feed(manual, *committed("u2"), transcript("u2", "please."), at=COMMITTED + PRESS + COMMIT_DELAY)
    assert sent(effects) == [CREATE]
    assert texts(feed(manual, *answered("r1", "Yes."), at=COMMITTED + 9)) == [("Tea, please.", "Yes.")]


@pytest.mark.row("D11")
def test_words_before_a_press_that_was_empty_are_answered_after_it(manual: Session) -> None:
    press(manual)
    manual.begin_speaking(COMMITTED)
    feed(manual, *committed("u1"), at=COMMITTED)
    assert sent(manual.end_speaking(COMMITTED + MIN_PRESS / 2)) == [CLEAR_INPUT, CREATE]


@pytest.mark.row("D11")
def test_words_for_which_no_answer_can_be_had_are_a_turn_all_the_same(manual: Session) -> None:
    press(manual)
    request = asked(feed(manual, *committed("u1"), transcript("u1", "Tea?")))
    assert texts(feed(manual, error("server_error", request))) == [("Tea?", "")]


@pytest.mark.row("D11")
def test_only_what_is_said_with_the_button_down_is_meant_for_the_assistant(manual: Session) -> None:
    assert not manual.hears_user
    manual.begin_speaking(START)
    assert manual.hears_user
    manual.end_speaking(RELEASED)
    assert not manual.hears_user
    assert listening().hears_user


@pytest.mark.row("D11")
def test_a_backend_may_have_chosen_push_to_talk() -> None:
    session = Session("s")
    session.start()
    session.configured({"audio": {"input": {"turn_detection": None}}}, START)
    session.opened(START)
    assert not session.hears_user
    assert sent(session.begin_speaking(START)) == [CLEAR_INPUT]


@pytest.mark.row("D11")
def test_the_button_means_nothing_while_the_server_detects_turns(session: Session) -> None:
    with pytest.raises(InvalidState, match="set_turn_detection"):
        session.begin_speaking(START)
    assert session.end_speaking(START) == []


@pytest.mark.row("D11")
def test_a_server_that_detects_turns_again_takes_the_button_away(manual: Session) -> None:
    press(manual)
    feed(manual, *committed("u1"), transcript("u1", "Weather?"), *called("r1", call_item("c1")))
    manual.begin_speaking(START + 5)
    manual.tool_finished("c1", {}, START + 5)
    manual.update(turn_detection_of({"type": "server_vad"}), START + 5)
    effects = feed(manual, server.SessionUpdated(session={}), at=START + 5)
    assert sent(effects) == [CREATE]
    assert manual.state is SessionState.THINKING
    assert manual.end_speaking(START + 6) == []
    assert manual.hears_user


@pytest.mark.row("D11")
def test_words_whose_answer_was_cut_are_a_turn_when_the_button_is_taken_away(manual: Session) -> None:
    press(manual)
    feed(manual, *committed("u1"), transcript("u1", "Tea?"), created("r1"))
    manual.begin_speaking(START + 5)
    feed(manual, done("r1", "cancelled"), at=START + 5)
    manual.update(turn_detection_of({"type": "server_vad"}), START + 5)
    assert texts(feed(manual, server.SessionUpdated(session={}), at=START + 5)) == [("Tea?", "")]
    assert manual.settled


@pytest.mark.row("D11")
def test_the_end_of_the_talk_lets_the_button_go(manual: Session) -> None:
    manual.begin_speaking(START)
    manual.close(START)
    assert manual.state is SessionState.FINALIZING
    assert manual.settled
    for move in (manual.begin_speaking, manual.end_speaking):
        with pytest.raises(NotConnected):
            move(START)


# A committed that is lost, or comes twice


@pytest.mark.row("D11")
@pytest.mark.parametrize(
    "news",
    [
        server.ItemAdded(item=server.Item(id="u1", type="message", role="user")),
        transcript("u1", "Tea?"),
        server.InputTranscriptFailed(item_id="u1"),
    ],
)
def test_news_of_an_item_that_nobody_announced_count_as_its_commit(manual: Session, news: server.ServerEvent) -> None:
    press(manual)
    assert sent(feed(manual, news, at=COMMITTED)) == [CREATE]
    assert sent(feed(manual, *committed("u1"), at=COMMITTED)) == []
    assert of(Problem, wait(manual, COMMITTED + COMMIT_TIMEOUT)) == []


@pytest.mark.row("D11")
def test_words_that_are_known_are_answered_though_their_commit_never_is(manual: Session) -> None:
    manual.begin_speaking(START)
    feed(manual, transcript("u1", "Tea?"))  # a server that writes along
    manual.end_speaking(RELEASED)
    effects = wait(manual, COMMITTED + COMMIT_TIMEOUT)
    assert sent(effects) == [COMMIT, CREATE]
    assert texts(feed(manual, *answered("r1", "Yes."))) == [("Tea?", "Yes.")]


@pytest.mark.row("D11")
def test_words_that_were_written_along_are_answered_when_they_are_committed(manual: Session) -> None:
    manual.begin_speaking(START)
    feed(manual, transcript("u1", "Tea?"))
    manual.end_speaking(RELEASED)
    wait(manual, COMMITTED)
    assert sent(feed(manual, *committed("u1"), at=COMMITTED)) == [CREATE]


@pytest.mark.row("D11")
def test_a_committed_that_comes_twice_is_not_taken_for_the_next_one(manual: Session) -> None:
    press(manual)
    manual.begin_speaking(COMMITTED)
    feed(manual, *committed("u1"), at=COMMITTED)
    manual.end_speaking(COMMITTED + PRESS)
    wait(manual, COMMITTED + PRESS + COMMIT_DELAY)
    assert sent(feed(manual, *committed("u1"), at=COMMITTED + 3)) == []
    assert sent(feed(manual, *committed("u2"), at=COMMITTED + 3)) == [CREATE]
