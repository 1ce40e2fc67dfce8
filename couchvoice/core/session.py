"""The session: facts in, effects out. The one place that decides what a talk does next.

Facts are server events, results of tools, typed text, the clock, and what the speaker plays. No I/O, no clock of its
own (``now`` is monotonic seconds), nothing raises but a call in the wrong state.
Law: each call is answered once, each turn is recorded once, at most one response is asked for at a time, and after
``close`` or ``lost`` nothing is sent any more.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, assert_never

import msgspec

from couchvoice.core import server_events as server
from couchvoice.core.bridge import ToolBridge
from couchvoice.core.client_events import (
    FunctionCallOutput,
    InputText,
    ItemCreate,
    OutputBufferClear,
    ResponseCancel,
    ResponseCreate,
    UserMessage,
)
from couchvoice.core.effects import Effect, EndSession, FlushPlayback, RecordTurn, SendEvent
from couchvoice.core.notices import (
    AssistantTranscript,
    Interrupted,
    Problem,
    StateChanged,
    ToolActivity,
    UserTranscript,
)
from couchvoice.core.responses import ResponseGate, ResponseState
from couchvoice.core.state import LEGAL, SessionState
from couchvoice.core.turn import Answer, Outcome, Sound
from couchvoice.core.turns import TurnLedger
from couchvoice.errors import InvalidState, NotConnected

WARMING_TIMEOUT = 1.0  # seconds; a server that is not OpenAI's may never send session.created
RETRY_DELAY = 1.0  # seconds; after a refusal by a response that nobody announced

ALREADY_ACTIVE = "conversation_already_has_active_response"
# OpenAI: these tell of a race that was lost, not of a fault; the session goes on as if they had not come.
BENIGN_ERRORS = frozenset({ALREADY_ACTIVE, "response_cancel_not_active", "input_audio_buffer_commit_empty"})
FATAL_ERRORS = frozenset(
    {"session_expired", "invalid_api_key", "insufficient_quota", "beta_api_shape_disabled", "model_not_found"}
)

_BEFORE_READY = frozenset({SessionState.IDLE, SessionState.CONNECTING})
_OVER = frozenset({SessionState.FINALIZING, SessionState.ENDED})


class Session:
    """``key`` is unique among sessions (it begins every id made here); ``config`` is the GA session config."""

    def __init__(self, key: str, config: Mapping[str, Any] | None = None) -> None:
        self.unknown_events = 0
        self.malformed_messages = 0
        self._key = key
        self._state = SessionState.IDLE
        self._ledger = TurnLedger(key)
        self._gate = ResponseGate()
        self._bridge = ToolBridge(self._ledger)
        self._effects: list[Effect] = []
        self._sent = 0
        self._asked: str | None = None  # event_id of our last response.create
        self._user_speaks = False
        self._audible = False
        self._warm_at: float | None = None
        self._retry_at: float | None = None
        self._interrupts = True
        self._answers_speech = True
        self._configure(config or {})

    # Life

    @property
    def state(self) -> SessionState:
        return self._state

    @property
    def settled(self) -> bool:
        """Nothing is owed to anybody: no answer, no tool, no turn."""
        return not (self._ledger.owes or self._gate.owes or self._bridge.busy or self._user_speaks)

    def start(self) -> list[Effect]:
        """Somebody asked for a connection."""
        self._enter(SessionState.CONNECTING)
        return self._take_effects()

    def opened(self, now: float) -> list[Effect]:
        """The data channel is open: from here on text may be sent."""
        self._enter(SessionState.WARMING)
        self._warm_at = now + WARMING_TIMEOUT
        return self._take_effects()

    def close(self, now: float) -> list[Effect]:
        """The user has had enough. Transcripts that are owed may still be fed for a moment: see ``next_timeout``."""
        return self._finish(Outcome.INTERRUPTED, now, patient=self._state not in _BEFORE_READY)

    def lost(self, now: float) -> list[Effect]:
        """The connection is gone; nothing more will come."""
        return self._finish(Outcome.CONNECTION_INTERRUPTED, now, patient=False)

    def ended(self) -> list[Effect]:
        """The owner has released everything."""
        if self._state is not SessionState.ENDED:
            self._enter(SessionState.ENDED)
        return self._take_effects()

    # Facts

    def receive(self, event: server.ServerEvent, now: float) -> list[Effect]:
        """A server event. Never raises."""
        if self._state in _BEFORE_READY or self._state is SessionState.ENDED:
            return []
        if self._state is SessionState.FINALIZING:
            self._receive_late(event, now)
        else:
            self._receive(event, now)
        return self._settle(now)

    def tool_finished(
        self, call_id: str, output: Mapping[str, Any], now: float, *, error: str | None = None
    ) -> list[Effect]:
        """The result of a ``CallTool``; ``error`` is its code when it failed. Dropped when nobody awaits it."""
        call = None if self._state in _OVER else self._bridge.finished(call_id, output, now, error=error)
        if call is None:
            return []
        self._tell(ToolActivity(call.name, call_id, "failed" if error else "completed", call.ms))
        self._answer_calls(call.response_id)
        return self._settle(now)

    def send_text(self, text: str, now: float) -> list[Effect]:
        """The user typed. Raises NotConnected before the channel is open and after the talk."""
        self._require_talk()
        item_id = self._next_id("item")
        self._ledger.user_item(item_id, now, spoken=False)
        self._ledger.user_final(item_id, text, now)
        self._tell(UserTranscript(item_id, text, final=True))
        self._send(ItemCreate(self._next_id("event"), UserMessage(item_id, (InputText(text),))))
        self._request_response()
        return self._settle(now)

    def interrupt(self, now: float) -> list[Effect]:
        """The user wants the assistant to stop. Raises NotConnected as ``send_text`` does."""
        self._require_talk()
        # OpenAI: response.cancel is legal only while a response is active.
        if self._gate.running():
            self._bridge.doubt(self._gate.running())
            self._send(ResponseCancel(self._next_id("event")))
        if self._cut_playback():
            self._send(OutputBufferClear(self._next_id("event")))
        return self._settle(now)

    def playback_changed(self, now: float, *, audible: bool) -> list[Effect]:
        """What the speaker plays became audible, or has been quiet for a while."""
        self._audible = audible
        self._ledger.playback_changed(audible=audible)
        if audible:
            for response_id in self._ledger.playing():
                self._ledger.sounded(response_id, now)
        return self._settle(now)

    def next_timeout(self) -> float | None:
        """When ``handle_timeout`` wants to be called."""
        times = (self._warm_at, self._retry_at, self._bridge.next_timeout(), self._ledger.next_timeout())
        return min((time for time in times if time is not None), default=None)

    def handle_timeout(self, now: float) -> list[Effect]:
        if self._warm_at is not None and now >= self._warm_at:
            self._warm()
        if self._retry_at is not None and now >= self._retry_at:
            self._retry_at = None
            self._send_response_create(granted=self._gate.retry())
        self._effects += self._bridge.expire(now)
        return self._settle(now)

    # Server events

    def _receive(self, event: server.ServerEvent, now: float) -> None:
        match event:
            case server.SessionCreated() | server.SessionUpdated():
                self._configure(event.session)
                self._warm()
            case server.SpeechStarted():
                self._speech_started()
            case server.SpeechStopped():
                self._user_speaks = False
                self._ledger.user_item(event.item_id, now)
            case server.InputCommitted():
                self._ledger.user_item(event.item_id, now)
            case server.ItemAdded():
                self._item_added(event, now)
            case server.InputTranscriptDelta() | server.InputTranscriptCompleted() | server.InputTranscriptFailed():
                self._transcribed(event, now)
            case server.ResponseCreated():
                self._response_created(event.response.id, now)
            case server.OutputItemAdded():
                self._output_item(event)
            case server.OutputItemDone():
                self._output_item(event)
                self._effects += self._bridge.item_done(event, now)
            case server.AudioTranscriptDelta() | server.AudioTranscriptDone() | server.TextDelta() | server.TextDone():
                self._spoke(event)
            case server.ResponseDone():
                self._response_done(event.response, now)
            case server.OutputBufferStarted() | server.OutputBufferStopped() | server.OutputBufferCleared():
                self._buffer_changed(event, now)
            case server.ErrorReported():
                self._error(event.error, now)
            case server.Unknown():
                self.unknown_events += 1
            case server.Malformed():
                self.malformed_messages += 1
            case _:
                assert_never(event)

    def _receive_late(self, event: server.ServerEvent, now: float) -> None:
        """After the talk only the words that turns still wait for are of use."""
        match event:
            case server.InputTranscriptDelta() | server.InputTranscriptCompleted() | server.InputTranscriptFailed():
                self._transcribed(event, now)
            case _:
                pass

    def _speech_started(self) -> None:
        self._user_speaks = True
        if self._interrupts:
            self._bridge.doubt(self._gate.running())
            self._cut_playback()

    def _item_added(self, event: server.ItemAdded, now: float) -> None:
        item = event.item
        if item.id is None:
            return
        if item.type == "message" and item.role == "user":
            self._ledger.user_item(item.id, now)
        elif event.previous_item_id:
            self._ledger.place(item.id, event.previous_item_id)

    def _transcribed(
        self,
        event: server.InputTranscriptDelta | server.InputTranscriptCompleted | server.InputTranscriptFailed,
        now: float,
    ) -> None:
        match event:
            case server.InputTranscriptDelta():
                draft = self._ledger.user_draft(event.item_id, event.delta, now)
                self._tell(UserTranscript(event.item_id, draft, final=False))
            case server.InputTranscriptCompleted():
                self._ledger.user_final(event.item_id, event.transcript, now)
                self._tell(UserTranscript(event.item_id, event.transcript, final=True))
            case server.InputTranscriptFailed():
                self._ledger.user_failed(event.item_id, now)
        if self._state not in _OVER:
            self._effects += self._bridge.words_came(now)

    def _response_created(self, response_id: str, now: float) -> None:
        if self._ledger.knows(response_id):
            return
        self._ledger.response_created(response_id, now, asked=self._gate.state is ResponseState.REQUESTED)
        self._gate.created(response_id)
        self._retry_at = None

    def _output_item(self, event: server.OutputItemAdded | server.OutputItemDone) -> None:
        if event.item.id:
            self._ledger.output_item(event.response_id, event.item.id)

    def _spoke(
        self, event: server.AudioTranscriptDelta | server.AudioTranscriptDone | server.TextDelta | server.TextDone
    ) -> None:
        answer = self._ledger.answer(event.response_id)
        if answer is None:
            return
        part = (event.output_index, event.content_index)
        before = answer.text
        match event:
            case server.AudioTranscriptDelta() | server.TextDelta():
                answer.parts[part] = answer.parts.get(part, "") + event.delta
            case server.AudioTranscriptDone():
                answer.parts[part] = event.transcript
            case server.TextDone():
                answer.parts[part] = event.text
        if isinstance(event, server.AudioTranscriptDelta | server.AudioTranscriptDone):
            _expect_sound(answer)
        if answer.text != before and answer.done_at is None:
            self._tell(AssistantTranscript(event.response_id, answer.text, final=False))

    def _response_done(self, response: server.Response, now: float) -> None:
        if not self._ledger.knows(response.id):
            self._response_created(response.id, now)
        answer = self._ledger.answer(response.id)
        if answer is None or answer.status is not None:
            return
        answer.status, answer.done_at = response.status or "completed", now
        self._fill_in(answer, response)
        if response.status == "cancelled":
            answer.cut = True
            # What was cancelled before it sounded will not sound; the rest ends with output_audio_buffer.cleared.
            answer.sound = Sound.OVER if answer.sound is Sound.COMING else answer.sound
        if answer.text:
            self._tell(AssistantTranscript(response.id, answer.text, final=True, interrupted=answer.cut))
        if response.status == "failed":
            self._tell(_problem_of(response))
        self._effects += self._bridge.response_done(response, now)
        self._answer_calls(response.id)
        # The continuation first: what a waiting request wants, it gives as well.
        self._send_response_create(granted=self._gate.done(response.id))

    def _fill_in(self, answer: Answer, response: server.Response) -> None:
        """A server that sends no deltas has the words in ``response.done``."""
        for index, item in enumerate(response.output or ()):
            for content_index, part in enumerate(item.content or ()):
                words = part.transcript or part.text
                if words and (response.status == "completed" or not answer.parts.get((index, content_index))):
                    answer.parts[index, content_index] = words
                if part.type in ("output_audio", "audio"):
                    _expect_sound(answer)

    def _buffer_changed(
        self, event: server.OutputBufferStarted | server.OutputBufferStopped | server.OutputBufferCleared, now: float
    ) -> None:
        answer = self._ledger.answer(event.response_id)
        if answer is None:
            return
        match event:
            case server.OutputBufferStarted():
                if answer.sound is not Sound.OVER:
                    answer.sound = Sound.PLAYING
                    self._ledger.sounded(event.response_id, now)
            case server.OutputBufferStopped():
                answer.sound = Sound.OVER
            case server.OutputBufferCleared():
                if answer.sound is not Sound.OVER:
                    self._cut([answer])
                answer.sound, answer.cut = Sound.OVER, True

    def _error(self, error: server.ErrorDetail, now: float) -> None:
        code = error.code or error.type or "error"
        about_response = self._asked is not None and error.event_id in (self._asked, None)
        if code == ALREADY_ACTIVE:
            if about_response and self._gate.state is not ResponseState.IDLE:
                self._asked = None
                self._gate.refused()
                self._retry_at = None if self._gate.running() else now + RETRY_DELAY
        elif code in FATAL_ERRORS:
            self._effects.append(EndSession(code, error.message))
        elif code not in BENIGN_ERRORS:
            self._tell(Problem(code, error.message))
            if self._asked is not None and error.event_id == self._asked:
                self._ledger.give_up_continuing()
                self._send_response_create(granted=self._gate.failed())

    # Small moves

    def _answer_calls(self, response_id: str) -> None:
        calls = self._bridge.take_answerable(response_id)
        for call in calls:
            output = msgspec.json.encode(call.output).decode()
            self._send(ItemCreate(self._next_id("event"), FunctionCallOutput(call.call_id, output)))
        if self._bridge.continues(calls):
            self._ledger.continues(response_id)
            self._request_response()

    def _configure(self, session: Mapping[str, Any]) -> None:
        audio = session.get("audio")
        settings = audio.get("input") if isinstance(audio, Mapping) else None
        if not isinstance(settings, Mapping) or "turn_detection" not in settings:
            return
        detection = settings["turn_detection"]
        # turn_detection null: nobody but the client commits, answers or interrupts.
        self._interrupts = isinstance(detection, Mapping) and detection.get("interrupt_response") is not False
        self._answers_speech = isinstance(detection, Mapping) and detection.get("create_response") is not False

    def _warm(self) -> None:
        self._warm_at = None
        if self._state is SessionState.WARMING:
            self._enter(SessionState.LISTENING)

    def _cut_playback(self) -> bool:
        """Silence what can be heard now. True: there was something."""
        running = self._gate.running()
        heard = []
        for response_id in self._ledger.playing():
            answer = self._ledger.answer(response_id)
            # Without buffer events an answer that is done and quiet has been heard out, not cut.
            if answer and (answer.sound is Sound.PLAYING or self._audible or response_id in running):
                heard.append(answer)
        return self._cut(heard)

    def _cut(self, answers: list[Answer]) -> bool:
        for answer in answers:
            answer.sound, answer.cut = Sound.OVER, True
        if answers:
            self._effects.append(FlushPlayback())
            self._tell(Interrupted())
        return bool(answers)

    def _request_response(self) -> None:
        self._send_response_create(granted=self._gate.request())

    def _send_response_create(self, *, granted: bool) -> None:
        if granted:
            self._asked = self._next_id("event")
            self._send(ResponseCreate(self._asked))

    def _send(self, event: ItemCreate | ResponseCreate | ResponseCancel | OutputBufferClear) -> None:
        self._effects.append(SendEvent(event))

    def _tell(self, notice: Effect) -> None:
        self._effects.append(notice)

    def _next_id(self, kind: str) -> str:
        self._sent += 1
        return f"{kind}_{self._key}_{self._sent}"

    def _require_talk(self) -> None:
        if self._state in _BEFORE_READY or self._state in _OVER:
            raise NotConnected(self._state.value)

    def _finish(self, outcome: Outcome, now: float, *, patient: bool) -> list[Effect]:
        if self._state in _OVER:
            return []
        self._warm_at = self._retry_at = None
        self._bridge.close()
        self._ledger.finish(outcome, now, patient=patient)
        self._enter(SessionState.FINALIZING)
        return self._settle(now)

    def _settle(self, now: float) -> list[Effect]:
        """After every fact: hand out the turns that are over, and show the state that follows."""
        self._effects += [RecordTurn(turn) for turn in self._ledger.take_closed(now)]
        if self._state not in _OVER and self._state not in _BEFORE_READY:
            state = self._present_state()
            if state is not self._state:
                self._enter(state)
        return self._take_effects()

    def _present_state(self) -> SessionState:
        if self._user_speaks:
            return SessionState.USER_SPEAKING
        if self._ledger.speaking:
            return SessionState.ASSISTANT_SPEAKING
        if self._gate.owes or self._bridge.busy or (self._answers_speech and self._ledger.answer_owed):
            return SessionState.THINKING
        return SessionState.WARMING if self._warm_at is not None else SessionState.LISTENING

    def _enter(self, state: SessionState) -> None:
        if state not in LEGAL[self._state]:
            raise InvalidState(f"{self._state.value} -> {state.value}")
        self._state = state
        self._effects.append(StateChanged(state))

    def _take_effects(self) -> list[Effect]:
        effects, self._effects = self._effects, []
        return effects


def _expect_sound(answer: Answer) -> None:
    if answer.sound is Sound.NONE and not answer.cut:
        answer.sound = Sound.COMING


def _problem_of(response: server.Response) -> Problem:
    error = response.status_details.error if response.status_details else None
    return Problem((error and error.code) or "response_failed", (error and error.message) or "the response failed")
