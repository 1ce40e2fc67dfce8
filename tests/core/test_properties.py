"""Whatever comes, in whatever order: each call once, each turn once, one response at a time, silence after the end.

Not a test of what is right for a sensible talk; that is in the other files.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from couchvoice.core import server_events as server
from couchvoice.core.client_events import (
    FunctionCall,
    FunctionCallOutput,
    InputCommit,
    ItemCreate,
    ResponseCreate,
    SessionUpdate,
)
from couchvoice.core.effects import CallTool, Effect, RecordTurn, SendEvent, SpeakText, UpdateAnswered
from couchvoice.core.error_codes import ALREADY_ACTIVE
from couchvoice.core.notices import StateChanged, UsageChanged
from couchvoice.core.responses import REQUEST_TIMEOUT
from couchvoice.core.session import Session
from couchvoice.core.session_update import Changes, modality_of, speed_of, turn_detection_of
from couchvoice.core.state import LEGAL, TALK, SessionState
from couchvoice.core.turn import FinishedTurn, Outcome
from couchvoice.core.turns import LAST_TRANSCRIPT_TIMEOUT, TRANSCRIPT_TIMEOUT
from couchvoice.errors import InvalidState
from tests.core import talk
from tests.core.any_events import USAGE, exchanges, response_events, responses, session_events, user_events, words_of

EXAMPLES = int(os.environ.get("COUCHVOICE_EXAMPLES", "100"))  # more of them find rarer orders
STEPS = 40
PATIENCE = 3.0  # seconds; longer than a call waits for its evidence


class AnyTalk(RuleBasedStateMachine):
    """Feeds a session anything and holds it to its law."""

    @initialize(
        detection=st.fixed_dictionaries({"interrupt_response": st.booleans(), "create_response": st.booleans()})
        | st.none(),
        speaks_text=st.booleans(),
    )
    def begin(self, detection: dict[str, bool] | None, *, speaks_text: bool) -> None:
        self.now = talk.START
        self.session = Session("s", speaks_text=speaks_text)
        config = {"audio": {"input": {"turn_detection": detection}}}
        self.state = SessionState.IDLE
        self.closed_at: float | None = None
        self.turns: list[FinishedTurn] = []
        self.ran: dict[str, bool] = {}  # call id -> whether its output was fed
        self.running_on: list[str] = []  # calls whose result is not fed
        self.results = 0
        self.reported: list[str] = []  # calls that we told the model of
        self.answered: list[str] = []
        self.known: list[str] = []  # responses, in the order in which they began
        self.ended: set[str] = set()
        self.silent_answers = 0
        self.asked: str | None = None  # our response.create that is neither answered nor refused
        self.asked_at = 0.0
        self.announced: dict[str, float] = {}
        self.failed: set[str] = set()
        self.owed: set[str] = set()  # final texts that must be recorded
        self.update: str | None = None  # our session.update that is not answered
        self.commits: dict[str, float] = {}  # our commits that are not answered
        self.spoken_here: set[str] = set()
        self.used: set[str] = set()  # responses that told what they used
        self.do(self.session.start)
        self.do(lambda: self.session.configured(config, self.now))
        self.do(lambda: self.session.opened(self.now))

    # What may happen

    @rule(events=user_events() | response_events() | session_events() | exchanges())
    def events_come(self, events: list[server.ServerEvent]) -> None:
        for event in events:
            self.note(event)
            self.do(lambda event=event: self.session.receive(event, self.now))  # type: ignore[misc]

    @precondition(lambda self: self.asked)
    @rule(kind=st.sampled_from(["created", "refused", "refused without an id", "rejected"]), response_id=responses)
    def request_is_answered(self, kind: str, response_id: str) -> None:
        event: server.ServerEvent = talk.created(response_id)
        if kind == "rejected":
            event = talk.error("invalid_value", self.asked)
        elif kind != "created":
            event = talk.error(ALREADY_ACTIVE, self.asked if kind == "refused" else None)
        self.events_come([event])

    @rule(seconds=st.sampled_from([0.0, 0.3, 0.6, 1.0, 3.0, 6.0]), diligent=st.booleans())
    def time_passes(self, seconds: float, *, diligent: bool) -> None:
        until = self.now + seconds
        while diligent and (due := self.session.next_timeout()) is not None and due <= until:
            self.now = max(self.now, due)
            self.let_expire()
        self.now = until

    @rule()
    def let_expire(self) -> None:
        if self.now >= self.asked_at + REQUEST_TIMEOUT:
            self.asked = None
        self.do(lambda: self.session.handle_timeout(self.now))
        due = self.session.next_timeout()
        assert due is None or due > self.now, "the owner would spin"

    @precondition(lambda self: not all(self.ran.values()))
    @rule(data=st.data(), error=st.sampled_from([None, "timeout"]), runs_on=st.booleans())
    def tool_finishes(self, data: st.DataObject, error: str | None, *, runs_on: bool) -> None:
        call_id = data.draw(st.sampled_from(sorted(call for call, finished in self.ran.items() if not finished)))
        self.ran[call_id] = True
        self.do(lambda: self.session.tool_finished(call_id, {}, self.now, error=error, runs_on=runs_on))
        assert self.session.tool_finished(call_id, {}, self.now) == []
        if runs_on:
            self.running_on.append(call_id)

    @precondition(lambda self: self.running_on)
    @rule(data=st.data(), output=st.sampled_from([None, {}, {"should_respond": False}]))
    def result_arrives(self, data: st.DataObject, output: dict[str, Any] | None) -> None:
        call_id = data.draw(st.sampled_from(self.running_on))
        self.running_on.remove(call_id)
        self.results += output is not None
        if output is None:
            self.do(lambda: self.session.result_cancelled(call_id, self.now))
        else:
            self.do(lambda: self.session.result_arrived(call_id, output, self.now))
        assert self.session.result_arrived(call_id, {}, self.now) == []

    @precondition(lambda self: self.session.state in TALK)
    @rule(number=st.integers(0, 10**6))
    def user_types(self, number: int) -> None:
        text = f"typed-{number}-{len(self.owed)}."
        self.owed.add(text)
        self.do(lambda: self.session.send_text(text, self.now))

    @precondition(lambda self: self.session.state in TALK)
    @rule()
    def an_answer_is_wanted(self) -> None:
        self.do(lambda: self.session.respond(self.now))

    @precondition(lambda self: self.session.state in TALK)
    @rule()
    def user_interrupts(self) -> None:
        self.do(lambda: self.session.interrupt(self.now))

    @precondition(lambda self: self.session.state in TALK and self.update is None)
    @rule(changes=st.sampled_from([speed_of(0.5), modality_of("text"), turn_detection_of(None)]))
    def session_is_changed(self, changes: Changes) -> None:
        self.do(lambda: self.session.update(changes, self.now))
        assert self.update is not None

    @precondition(lambda self: self.session.state in TALK)
    @rule(kind=st.sampled_from(["press", "release"]))
    def button_is_used(self, kind: str) -> None:
        if kind == "release":
            self.do(lambda: self.session.end_speaking(self.now))
        elif self.detects:
            with pytest.raises(InvalidState):
                self.session.begin_speaking(self.now)
        else:
            self.do(lambda: self.session.begin_speaking(self.now))
            assert self.session.hears_user

    @property
    def detects(self) -> bool:
        return self.session._conversation._floor._detection.detects

    @precondition(lambda self: self.commits or self.update)
    @rule(data=st.data(), code=st.sampled_from(["input_audio_buffer_commit_empty", "invalid_value"]))
    def what_we_sent_is_refused(self, data: st.DataObject, code: str) -> None:
        event_id = data.draw(st.sampled_from([*self.commits, *filter(None, [self.update])]))
        self.events_come([talk.error(code, event_id)])

    @rule(audible=st.booleans())
    def playback_changes(self, *, audible: bool) -> None:
        self.do(lambda: self.session.playback_changed(self.now, audible=audible))

    @precondition(lambda self: len(self.known) > 2)
    @rule(way=st.sampled_from(["close", "lost"]))
    def talk_is_over(self, way: str) -> None:
        self.asked = None
        if self.closed_at is None:
            self.closed_at = self.now if way == "close" else float("-inf")
        self.do(lambda: getattr(self.session, way)(self.now))

    # What must hold

    @invariant()
    def state_is_the_one_that_was_told(self) -> None:
        assert self.session.state is self.state

    def teardown(self) -> None:
        if not hasattr(self, "session"):
            return
        self.check_that_calls_are_answered()
        self.talk_is_over("close")
        self.time_passes(LAST_TRANSCRIPT_TIMEOUT, diligent=True)
        assert self.session.settled
        assert self.session.next_timeout() is None
        recorded = " ".join(turn.user_text for turn in self.turns)
        for text in self.owed:
            assert recorded.count(text) == 1, text
        for item_id in self.announced:
            assert recorded.count(words_of(item_id)) <= 1
        self.do(self.session.ended)
        assert self.update is None, "never answered"
        self.events_come([talk.transcript("u1", "x"), *talk.said("u9", "x"), *talk.answered("r9", "x")])
        self.do(lambda: self.session.handle_timeout(self.now + 100))

    def check_that_calls_are_answered(self) -> None:
        if self.session.state not in TALK:
            return
        for _ in range(2):
            for call_id in [call for call, finished in self.ran.items() if not finished]:
                self.ran[call_id] = True
                self.do(lambda call_id=call_id: self.session.tool_finished(call_id, {}, self.now))  # type: ignore[misc]
            self.time_passes(PATIENCE, diligent=True)
        owed = [call for call in self.ran if call.partition("-")[0] in self.ended]
        assert sorted(set(self.answered) & set(owed)) == sorted(owed)

    # The model

    def do(self, step: Callable[[], list[Effect]]) -> None:
        over = self.state not in TALK and self.state is not SessionState.CONNECTING
        silent = self.closed_at is not None
        gone = self.state is SessionState.ENDED
        for effect in step():
            assert not gone, effect
            match effect:
                case StateChanged(state):
                    assert state in LEGAL[self.state]
                    self.state = state
                case CallTool(call_id=call_id):
                    assert not silent
                    assert call_id not in self.ran
                    self.ran[call_id] = False
                case RecordTurn(turn):
                    self.turns.append(turn)
                    assert turn.index == len(self.turns)
                    assert turn.client_turn_id not in {earlier.client_turn_id for earlier in self.turns[:-1]}
                    assert turn.user_text or turn.assistant_text
                    assert self.may_be_completed(turn) or turn.outcome is not Outcome.COMPLETED
                case SendEvent(event):
                    assert not silent
                    assert not over
                    self.check_sent(event)
                case UpdateAnswered():
                    assert self.update is not None, "answered twice"
                    self.update = None
                case SpeakText(response_id=response_id):
                    assert not silent
                    assert response_id not in self.spoken_here
                    self.spoken_here.add(response_id)
                case UsageChanged(usage):
                    assert usage.responses == len(self.used)
                    assert usage.input_tokens == USAGE["input_tokens"] * len(self.used)
                case _:
                    pass

    def may_be_completed(self, turn: FinishedTurn) -> bool:
        """It has an answer, or some response was completed in silence, or waited for the user."""
        return bool(turn.assistant_text or turn.tool_calls or self.silent_answers or self.ran)

    def check_sent(self, event: object) -> None:
        match event:
            case ResponseCreate(event_id):
                assert self.asked is None, "asked twice"
                assert not self.known or self.known[-1] in self.ended, "asked while one runs"
                assert not self.session._conversation.user_speaks, "asked while the user speaks"
                self.asked, self.asked_at = event_id, self.now
            case ItemCreate(item=FunctionCall(call_id=call_id)):
                assert call_id not in self.reported
                assert not self.session._conversation.user_speaks, "told while the user speaks"
                assert not self.session._conversation.assistant_speaks, "told while the assistant speaks"
                assert self.asked is None, "told while an answer is owed"
                assert not self.known or self.known[-1] in self.ended, "told while a response runs"
                self.reported.append(call_id)
                assert len(self.reported) <= self.results
            case ItemCreate(item=FunctionCallOutput(call_id=call_id)) if call_id in self.reported:
                assert self.reported[-1] == call_id, "the output follows its call"
            case ItemCreate(item=FunctionCallOutput(call_id=call_id)):
                assert self.ran[call_id]
                assert call_id not in self.answered
                assert call_id.partition("-")[0] in self.ended
                self.answered.append(call_id)
            case SessionUpdate(event_id=event_id):
                assert self.update is None
                self.update = event_id
            case InputCommit(event_id=event_id):
                self.commits[event_id] = self.now
            case _:
                pass

    def note(self, event: server.ServerEvent) -> None:
        """What the event means for what is owed, seen from outside."""
        match event:
            case server.ResponseCreated(response=response) | server.ResponseDone(response=response) if (
                response.id not in self.known and self.state in TALK
            ):
                self.note_response(response.id)
            case (
                server.OutputItemAdded()
                | server.OutputItemDone()
                | server.AudioTranscriptDelta()
                | server.AudioTranscriptDone()
                | server.TextDelta()
                | server.TextDone()
            ) if event.response_id not in self.known and self.ended.issuperset(self.known) and self.state in TALK:
                self.note_response(event.response_id)
            case server.ErrorReported(error=error) if error.event_id in (self.asked, None):
                self.asked = None
            case _:
                pass
        if isinstance(event, server.ResponseDone) and self.state in TALK:
            self.ended.add(event.response.id)
            self.silent_answers += event.response.status == "completed"
        if isinstance(event, server.ResponseDone) and event.response.usage and self.state is not SessionState.ENDED:
            self.used.add(event.response.id)
        self.note_words(event)

    def note_response(self, response_id: str) -> None:
        self.ended.update(self.known)
        self.known.append(response_id)
        self.asked = None

    def note_words(self, event: server.ServerEvent) -> None:
        match event:
            case server.SpeechStopped(item_id=item_id) | server.InputCommitted(item_id=item_id):
                pass
            case server.ItemAdded(item=server.Item(role="user", id=str(item_id))):
                pass
            case server.InputTranscriptCompleted(item_id=item_id) | server.InputTranscriptDelta(item_id=item_id):
                pass
            case server.InputTranscriptFailed(item_id=item_id):
                self.failed.add(item_id)
            case _:
                return
        if self.state in TALK:
            self.announced.setdefault(item_id, self.now)
        if isinstance(event, server.InputTranscriptCompleted) and item_id in self.announced:
            in_time = self.now < self.announced[item_id] + TRANSCRIPT_TIMEOUT
            if self.closed_at is not None:
                in_time = in_time and self.now < self.closed_at + LAST_TRANSCRIPT_TIMEOUT
            if in_time and item_id not in self.failed:
                self.owed.add(words_of(item_id))


def test_any_order_of_anything_keeps_the_law() -> None:
    run_state_machine_as_test(
        AnyTalk, settings=settings(max_examples=EXAMPLES, stateful_step_count=STEPS, deadline=None)
    )
