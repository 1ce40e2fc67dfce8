"""The conversation: what a server event, a tool's result, a typed line or the clock leads to while the talk lasts.

Not its life: ``session.py`` opens and ends it and names its state. The floor is the user's, the gate asks for
responses, the bridge runs tools, the reports wait for those that take long, the ear listens to answers, and the
ledger, which they all know, keeps the turns.
Law: facts go to the parts that own them, and their effects come back in order: silence, outputs, then requests.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, assert_never

from couchvoice.core import server_events as server
from couchvoice.core.bridge import ToolBridge
from couchvoice.core.client_events import (
    FunctionCallOutput,
    InputText,
    ItemCreate,
    OutputBufferClear,
    ResponseCancel,
    UserMessage,
    encode_output,
    sendable,
)
from couchvoice.core.ear import Ear
from couchvoice.core.effects import Effect, EndSession, RecordTurn, SendEvent
from couchvoice.core.error_codes import ALREADY_ACTIVE, BENIGN, FATAL
from couchvoice.core.floor import Floor
from couchvoice.core.ids import Ids
from couchvoice.core.notices import Problem, ToolActivity, ToolResult, UserTranscript
from couchvoice.core.reports import Reports
from couchvoice.core.responses import ResponseGate
from couchvoice.core.tool_view import shown_name, shown_output
from couchvoice.core.transcription import tells_words
from couchvoice.core.turn import Outcome
from couchvoice.core.turns import Expected, TurnLedger

UserWords = server.InputTranscriptDelta | server.InputTranscriptCompleted | server.InputTranscriptFailed


class Conversation:
    """``key``, ``ids`` and ``speaks_text`` as the session has them."""

    def __init__(self, key: str, ids: Ids, *, speaks_text: bool) -> None:
        self._ids = ids
        self._ledger = TurnLedger(key)
        self._gate = ResponseGate(self._ids)
        self._bridge = ToolBridge(self._ledger)
        self._reports = Reports(self._ids)
        self._ear = Ear(self._ledger, speaks_text=speaks_text)
        self._floor = Floor(self._ids, self._ledger, self._gate)

    # How it stands

    @property
    def user_speaks(self) -> bool:
        return self._floor.taken

    @property
    def hears_user(self) -> bool:
        """What the microphone hears is meant for the assistant."""
        return self._floor.open

    @property
    def assistant_speaks(self) -> bool:
        return self._ear.speaking

    @property
    def answer_owed(self) -> bool:
        """A response, a tool, or an answer to words that were said is on its way."""
        floor = self._floor
        to_speech = floor.answered_by_server and self._ledger.answer_owed
        return floor.pressed or self._gate.owes or self._bridge.busy or to_speech

    @property
    def report_owed(self) -> bool:
        """A tool that was acknowledged runs on, or the model does not know what came of it."""
        return self._reports.owes

    @property
    def tool_owed(self) -> bool:
        """A tool has not answered a call, or runs on."""
        return self._bridge.busy or self._reports.awaits

    @property
    def turn_owed(self) -> bool:
        return self._ledger.owes

    # Facts

    def configure(self, config: Mapping[str, Any], now: float) -> list[Effect]:
        """The session config, or the part of it that has changed."""
        told = tells_words(config)
        if told is not None:
            self._ledger.expect_words(told)
        return self._floor.configure(config, now)

    def receive(self, event: server.ServerEvent, now: float) -> list[Effect]:
        match event:
            case server.SessionCreated() | server.SessionUpdated():
                return self.configure(event.session, now)
            case server.SpeechStarted():
                return self._speech_started(event.item_id, now)
            case server.SpeechStopped():
                self._floor.speech_stopped(event.item_id, now)
                return []
            case server.InputCommitted():
                return self._floor.committed(event.item_id, now)
            case server.ItemAdded():
                return self._item_added(event, now)
            case server.InputTranscriptDelta() | server.InputTranscriptCompleted() | server.InputTranscriptFailed():
                return self._words(event, now)
            case server.ResponseCreated():
                return self._response_created(event.response.id, now)
            case server.OutputItemAdded():
                return self._output_item(event, now)
            case server.OutputItemDone():
                return self._output_item(event, now) + self._bridge.item_done(event, now)
            case server.AudioTranscriptDelta() | server.AudioTranscriptDone() | server.TextDelta() | server.TextDone():
                return self._unannounced(event.response_id, now) + self._ear.wrote(event, now)
            case server.ResponseDone():
                return self._response_done(event.response, now)
            case server.OutputBufferStarted() | server.OutputBufferStopped() | server.OutputBufferCleared():
                return self._ear.buffer_changed(event, now)
            case server.ErrorReported():
                return self._error(event.error, now)
            case server.Unknown() | server.Malformed():
                return []  # the session counts them
            case _:
                assert_never(event)

    def measured(self, name: str, ms: float) -> None:
        """Told with the next turn that is over."""
        self._ledger.measured(name, ms)

    def transcribed(self, event: UserWords, now: float) -> list[Effect]:
        """What the user said is known better now. The only fact that is of use after the talk, too."""
        match event:
            case server.InputTranscriptDelta():
                draft = self._ledger.user_draft(event.item_id, event.delta, now)
                return [UserTranscript(event.item_id, draft, final=False)]
            case server.InputTranscriptCompleted():
                self._ledger.user_final(event.item_id, event.transcript, now)
                return [UserTranscript(event.item_id, event.transcript, final=True)]
            case server.InputTranscriptFailed():
                self._ledger.user_failed(event.item_id, now)
                return []
            case _:
                assert_never(event)

    def tool_finished(
        self,
        call_id: str,
        output: Mapping[str, Any],
        now: float,
        *,
        error: str | None,
        private: Collection[str],
        runs_on: bool,
    ) -> list[Effect]:
        call = self._bridge.finished(call_id, output, now, error=error, runs_on=runs_on)
        if call is None:
            return []
        name, status = shown_name(call.name), "generating" if runs_on else "failed" if error else "completed"
        return [
            *(self._reports.expect(call, now) if runs_on else []),
            ToolActivity(name, call_id, status, call.ms),
            ToolResult(name, call_id, shown_output(output, private)),
            *self._answer_calls(call.response_id, now),
        ]

    def result_arrived(
        self, call_id: str, output: Mapping[str, Any], now: float, *, error: str | None, private: Collection[str]
    ) -> list[Effect]:
        return self._reports.arrived(call_id, output, now, error=error, private=private)

    def result_cancelled(self, call_id: str, now: float) -> list[Effect]:
        return self._reports.cancelled(call_id, now)

    def report(self, now: float) -> list[Effect]:
        """Tell the model what came of its tools, if nobody speaks and nothing else is owed."""
        if not self._reports.ready or self.user_speaks or self.assistant_speaks or self.answer_owed or self.turn_owed:
            return []
        items, wants_response = self._reports.tell()
        return items + self._gate.request(now) if wants_response else items

    def send_text(self, text: str, now: float) -> list[Effect]:
        item_id, text = self._ids.item(), sendable(text)
        self._ledger.user_item(item_id, now, spoken=False)
        self._ledger.user_final(item_id, text, now)
        return [
            UserTranscript(item_id, text, final=True),
            SendEvent(ItemCreate(self._ids.event(), UserMessage(item_id, (InputText(text),)))),
            *self._gate.request(now),
        ]

    def respond(self, now: float) -> list[Effect]:
        """Somebody wants an answer to what was said so far."""
        return self._gate.request(now)

    def interrupt(self) -> list[Effect]:
        running = self._gate.running()
        for response_id in running:
            self._ledger.give_up(response_id)
        return self._cut(running)

    def begin_speaking(self, now: float) -> list[Effect]:
        """The button is down. Raises InvalidState while the server detects turns."""
        speaking = self._floor.press(now)
        return [*self._cut(self._gate.running()), *speaking] if speaking else []

    def end_speaking(self, now: float) -> list[Effect]:
        """The button is up. Without a press nothing happens."""
        return self._floor.release(now)

    def playback_changed(self, now: float, *, audible: bool) -> None:
        self._ear.playback_changed(now, audible=audible)

    def finish(self, outcome: Outcome, now: float, *, patience: float) -> None:
        """The talk is over: nothing is asked for, run or sent any more."""
        self._floor.abandon()
        self._gate.close()
        self._bridge.close()
        self._reports.close()
        self._ledger.finish(outcome, now, patience=patience)

    # The clock

    def next_timeout(self) -> float | None:
        parts = (self._floor, self._gate, self._bridge, self._ear, self._ledger)
        return min((time for part in parts if (time := part.next_timeout()) is not None), default=None)

    def handle_timeout(self, now: float) -> list[Effect]:
        effects = self._floor.expire(now)
        expired = self._gate.expire(now)
        if expired:
            self._floor.give_up_unless_expected()
        return effects + expired + self._bridge.advance(now)

    def take_turns(self, now: float) -> list[Effect]:
        """The turns that are over by now."""
        self._ear.settle(now)
        asked, continues = self._gate.expects, self._gate.continues
        answer = asked or self._floor.answered_by_server or self._floor.taken or self._floor.pressed
        return [RecordTurn(turn) for turn in self._ledger.take_closed(now, Expected(asked, answer, continues))]

    # Server events

    def _speech_started(self, item_id: str, now: float) -> list[Effect]:
        if not self._floor.speech_started(item_id, now):
            return []
        self._bridge.doubt(self._gate.running())
        return self._ear.cut(self._gate.running())

    def _words(self, event: UserWords, now: float) -> list[Effect]:
        heard = self.transcribed(event, self._floor.said_at(event.item_id, now))
        self._floor.overtake()
        return heard + self._floor.answer_speech(now) + self._bridge.advance(now)

    def _item_added(self, event: server.ItemAdded, now: float) -> list[Effect]:
        item = event.item
        if item.role == "user":
            return self._floor.item_added(item, now)
        if item.id and event.previous_item_id:
            self._ledger.place(item.id, event.previous_item_id)
        return []

    def _response_created(self, response_id: str, now: float) -> list[Effect]:
        if self._ledger.knows(response_id):
            return []
        earlier = self._gate.running()
        self._ear.response_created(now)
        continues, reports = self._gate.created(response_id), self._reports.take_told()
        self._ledger.response_created(response_id, continues=continues, reports=reports)
        for superseded in earlier:
            self._bridge.superseded(superseded)
        effects = [effect for superseded in earlier for effect in self._answer_calls(superseded, now)]
        # Asked for before the button went down: the user speaks over it.
        return effects + self._cut(self._gate.running()) if self._floor.pressed else effects

    def _unannounced(self, response_id: str, now: float) -> list[Effect]:
        """A response that says or calls something has begun: not every server says so."""
        # While another one runs, it is a late word of one that is over.
        return [] if self._gate.running() else self._response_created(response_id, now)

    def _output_item(self, event: server.OutputItemAdded | server.OutputItemDone, now: float) -> list[Effect]:
        effects = self._unannounced(event.response_id, now)
        if event.item.id:
            self._ledger.output_item(event.response_id, event.item.id)
        return effects

    def _response_done(self, response: server.Response, now: float) -> list[Effect]:
        effects = self._response_created(response.id, now)
        answer = self._ledger.answer(response.id)
        if answer is None or answer.status is not None:
            return effects
        effects += self._ear.response_done(answer, response, now)
        effects += self._bridge.response_done(response, now)
        # The continuation first: a request that waits is for the turn after it.
        effects += self._answer_calls(response.id, now)
        return effects + self._gate.done(response.id, now)

    def _error(self, error: server.ErrorDetail, now: float) -> list[Effect]:
        code = error.code or error.type or "error"
        refused = self._floor.refused(error, now)
        if code == ALREADY_ACTIVE:
            self._gate.refused(error.event_id, now)
        if code in BENIGN:
            return refused
        if code in FATAL:
            return [EndSession(code, error.message)]
        effects = [*refused, Problem(code, error.message)]
        if self._gate.asked(error.event_id):
            effects += self._gate.failed(now)
            self._floor.give_up_unless_expected()
        return effects

    # Small moves

    def _cut(self, running: Collection[str]) -> list[Effect]:
        """End what is being answered, and what can be heard of it."""
        silence = self._ear.cut(running)
        self._bridge.doubt(running)
        # OpenAI: response.cancel is legal only while a response is active.
        cancel = [SendEvent(ResponseCancel(self._ids.event()))] if running else []
        clear = [SendEvent(OutputBufferClear(self._ids.event()))] if silence else []
        return [*silence, *cancel, *clear]

    def _answer_calls(self, response_id: str, now: float) -> list[Effect]:
        calls = self._bridge.take_answerable(response_id)
        outputs = (FunctionCallOutput(call.call_id, encode_output(call.output)) for call in calls)
        effects: list[Effect] = [SendEvent(ItemCreate(self._ids.event(), output)) for output in outputs]
        if not self._bridge.continues(calls):
            return effects
        if self._ledger.goes_on(response_id):
            return effects + self._gate.continue_after(response_id, now)
        return effects + self._gate.request(now)
