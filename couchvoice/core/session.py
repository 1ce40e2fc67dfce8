"""The session: facts in, effects out. Its life, its state, and the one door to the conversation.

Facts are server events, results of tools, typed text, the clock, and what the speaker plays. No I/O, no clock of its
own (``now`` is monotonic seconds), nothing raises but a call in the wrong state.
Law: each call is answered once, each turn is recorded once, at most one response is asked for at a time, and after
``close`` or ``lost`` nothing is sent any more.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from couchvoice.core import server_events as server
from couchvoice.core.conversation import Conversation, UserWords
from couchvoice.core.effects import Effect
from couchvoice.core.error_codes import FATAL
from couchvoice.core.ids import Ids
from couchvoice.core.notices import MuteChanged, Problem, StateChanged, UsageChanged
from couchvoice.core.session_update import Changes, SessionUpdates
from couchvoice.core.state import LEGAL, OVER, TALK, SessionState
from couchvoice.core.turn import Outcome
from couchvoice.core.turns import LAST_TRANSCRIPT_TIMEOUT
from couchvoice.core.usage import Usage, UsageMeter
from couchvoice.errors import InvalidState, NotConnected

WARMING_TIMEOUT = 1.0  # seconds; a server that is not OpenAI's may never send session.created

_OVER = Problem("not_connected", "the talk ended before the provider answered session.update")


class Session:
    """``key`` is unique among sessions: it is part of every id made here.

    ``speaks_text``: the owner gives written answers a voice (``SpeakText``).
    """

    def __init__(self, key: str, *, speaks_text: bool = False) -> None:
        self.unknown_events = 0
        self.malformed_messages = 0
        self._state = SessionState.IDLE
        self._muted = False
        ids = Ids(key)
        self._conversation = Conversation(key, ids, speaks_text=speaks_text)
        self._updates = SessionUpdates(ids)
        self._meter = UsageMeter()
        self._warm_at: float | None = None
        self._ending = Outcome.INTERRUPTED  # what becomes of the turns that are cut by ``close``

    @property
    def state(self) -> SessionState:
        return self._state

    @property
    def usage(self) -> Usage:
        return self._meter.total

    @property
    def hears_user(self) -> bool:
        """What the microphone hears may be sent: unless muted always, or with push-to-talk while the button is down."""
        return not self._muted and self._conversation.hears_user

    @property
    def settled(self) -> bool:
        """Nothing is owed to anybody: no answer, no tool, no result, no turn. After the talk only turns are owed."""
        talk = self._conversation
        if self._state in OVER:
            return not talk.turn_owed
        return not (talk.user_speaks or talk.answer_owed or talk.report_owed or talk.turn_owed)

    @property
    def awaits_tool(self) -> bool:
        """What is owed is a tool's to give, not the provider's."""
        return self._state in TALK and self._conversation.tool_owed

    # Life

    def start(self) -> list[Effect]:
        """Somebody asked for a connection."""
        return self._enter(SessionState.CONNECTING)

    def configured(self, config: Mapping[str, Any], now: float) -> list[Effect]:
        """The GA session config is known. Sound leaves before the channel opens: what it says holds from here on."""
        return self._conversation.configure(config, now)

    def opened(self, now: float) -> list[Effect]:
        """The data channel is open: from here on text may be sent."""
        self._warm_at = now + WARMING_TIMEOUT
        return self._enter(SessionState.WARMING)

    def measured(self, name: str, ms: float) -> None:
        """A figure of the talk that the owner has: told with the next turn that is recorded."""
        self._conversation.measured(name, ms)

    def close(self, now: float) -> list[Effect]:
        """The user has had enough. Transcripts that are owed may still be fed until the session is ``settled``."""
        return self._finish(self._ending, now, patience=LAST_TRANSCRIPT_TIMEOUT)

    def lost(self, now: float) -> list[Effect]:
        """The connection is gone; nothing more will come."""
        return self._finish(Outcome.CONNECTION_INTERRUPTED, now, patience=0.0)

    def ended(self) -> list[Effect]:
        """The owner has released everything. Whoever wants the last turns waits for ``settled`` first."""
        if self._state is SessionState.ENDED:
            return []
        return self._updates.answer(_OVER) + self._enter(SessionState.ENDED)

    def require_talk(self) -> None:
        """Raises NotConnected unless the channel is open."""
        if self._state not in TALK:
            raise NotConnected(self._state.value)

    # Facts

    def receive(self, event: server.ServerEvent, now: float) -> list[Effect]:
        """A server event. Never raises."""
        if isinstance(event, server.Unknown):
            self.unknown_events += 1
        elif isinstance(event, server.Malformed):
            self.malformed_messages += 1
        if self._state in TALK:
            return self._settle(self._serve(event, now) + self._measure(event), now)
        if self._state is SessionState.FINALIZING:
            # Of all that still comes, only the words that turns wait for are of use, and what it has cost.
            heard = self._conversation.transcribed(event, now) if isinstance(event, UserWords) else []
            return self._settle(heard + self._measure(event), now)
        return []

    def tool_finished(
        self,
        call_id: str,
        output: Mapping[str, Any],
        now: float,
        *,
        error: str | None = None,
        private: Collection[str] = (),
        runs_on: bool = False,
    ) -> list[Effect]:
        """The output of a ``CallTool``; ``error`` is its code when it failed. Dropped when nobody awaits it.

        ``private``: fields of the output that the model gets and the user is not shown.
        ``runs_on``: the tool has only begun, and ``result_arrived`` or ``result_cancelled`` follows.
        """
        if self._state not in TALK:
            return []
        finished = self._conversation.tool_finished(call_id, output, now, error=error, private=private, runs_on=runs_on)
        return self._settle(finished, now)

    def result_cancelled(self, call_id: str, now: float) -> list[Effect]:
        """A tool that ran on was ended before it had a result."""
        return self._settle(self._conversation.result_cancelled(call_id, now), now) if self._state in TALK else []

    def result_arrived(
        self,
        call_id: str,
        output: Mapping[str, Any],
        now: float,
        *,
        error: str | None = None,
        private: Collection[str] = (),
    ) -> list[Effect]:
        """What came of a tool that ran on. As ``tool_finished``."""
        if self._state not in TALK:
            return []
        return self._settle(self._conversation.result_arrived(call_id, output, now, error=error, private=private), now)

    def send_text(self, text: str, now: float) -> list[Effect]:
        """The user typed. Raises NotConnected before the channel is open and after the talk."""
        self.require_talk()
        return self._settle(self._conversation.send_text(text, now), now)

    def respond(self, now: float) -> list[Effect]:
        """Ask for an answer to what was said: where the server gives none by itself. Raises NotConnected."""
        self.require_talk()
        return self._settle(self._conversation.respond(now), now)

    def interrupt(self, now: float) -> list[Effect]:
        """The user wants the assistant to stop. Raises NotConnected as ``send_text`` does."""
        self.require_talk()
        return self._settle(self._conversation.interrupt(), now)

    def update(self, changes: Changes, now: float) -> list[Effect]:
        """Change the session config; ``UpdateAnswered`` tells what came of it. Raises NotConnected, InvalidState."""
        self.require_talk()
        return self._updates.send(changes, now)

    def mute(self) -> list[Effect]:
        """From now on nothing of what the microphone hears is sent, in whatever state; all else goes on."""
        return self._set_muted(True)

    def unmute(self) -> list[Effect]:
        return self._set_muted(False)

    def begin_speaking(self, now: float) -> list[Effect]:
        """Push-to-talk: the button is down.

        Raises NotConnected; InvalidState while the server detects turns or the microphone is muted.
        """
        self.require_talk()
        if self._muted:
            raise InvalidState("the microphone is muted: unmute() first")  # silence would be committed and answered
        return self._settle(self._conversation.begin_speaking(now), now)

    def end_speaking(self, now: float) -> list[Effect]:
        """The button is up: an answer is asked for once the server has what was said. Raises NotConnected."""
        self.require_talk()
        return self._settle(self._conversation.end_speaking(now), now)

    def playback_changed(self, now: float, *, audible: bool) -> list[Effect]:
        """What the speaker plays became audible, or has been quiet for a while."""
        if self._state not in TALK:
            return []
        self._conversation.playback_changed(now, audible=audible)
        return self._settle([], now)

    # The clock

    def next_timeout(self) -> float | None:
        """When ``handle_timeout`` wants to be called."""
        if self._state is SessionState.ENDED:
            return None
        times = (self._warm_at, self._updates.next_timeout(), self._conversation.next_timeout())
        return min((time for time in times if time is not None), default=None)

    def handle_timeout(self, now: float) -> list[Effect]:
        """The time has come. Never raises; too early or too late does no harm."""
        if self._state in TALK:
            warmed = self._warm() if self._warm_at is not None and now >= self._warm_at else []
            late = self._updates.expire(now)
            return self._settle(warmed + late + self._conversation.handle_timeout(now), now)
        return self._settle([], now) if self._state is SessionState.FINALIZING else []

    # What events are for

    def _serve(self, event: server.ServerEvent, now: float) -> list[Effect]:
        match event:
            case server.SessionCreated():
                return self._conversation.receive(event, now) + self._warm()
            case server.SessionUpdated():
                # Not every server repeats what it was told, least of all a null.
                changes, answer = self._updates.updated(event.session)
                asked = self._conversation.configure(changes, now)
                return asked + self._conversation.receive(event, now) + self._warm() + answer
            case server.ErrorReported(error=error) if error.code in FATAL:
                self._ending = Outcome.CONNECTION_INTERRUPTED
                return self._conversation.receive(event, now)
            case server.ErrorReported(error=error) if (refused := self._updates.refused(error)) is not None:
                return refused
            case _:
                return self._conversation.receive(event, now)

    def _set_muted(self, muted: bool) -> list[Effect]:
        if muted == self._muted:
            return []
        self._muted = muted
        return [MuteChanged(muted)]

    def _measure(self, event: server.ServerEvent) -> list[Effect]:
        return [UsageChanged(self._meter.total)] if self._meter.receive(event) else []

    # How the state follows

    def _warm(self) -> list[Effect]:
        self._warm_at = None
        return self._enter(SessionState.LISTENING) if self._state is SessionState.WARMING else []

    def _finish(self, outcome: Outcome, now: float, *, patience: float) -> list[Effect]:
        if self._state in OVER:
            return []
        self._warm_at = None
        unanswered = self._updates.answer(_OVER)
        self._conversation.finish(outcome, now, patience=patience)
        return self._settle(unanswered + self._enter(SessionState.FINALIZING), now)

    def _settle(self, effects: list[Effect], now: float) -> list[Effect]:
        """After every fact: hand out the turns that are over, tell what had to wait, show the state that follows."""
        effects = effects + self._conversation.take_turns(now)
        if self._state in TALK:
            effects += self._conversation.report(now)
        state = self._present_state()
        return effects if state is self._state else effects + self._enter(state)

    def _present_state(self) -> SessionState:
        if self._state not in TALK:
            return self._state
        if self._conversation.user_speaks:
            return SessionState.USER_SPEAKING
        if self._conversation.assistant_speaks:
            return SessionState.ASSISTANT_SPEAKING
        if self._conversation.answer_owed:
            return SessionState.THINKING
        # From the talk there is no way back to warming.
        return SessionState.WARMING if self._state is SessionState.WARMING else SessionState.LISTENING

    def _enter(self, state: SessionState) -> list[Effect]:
        if state not in LEGAL[self._state]:
            raise InvalidState(f"{self._state.value} -> {state.value}")
        self._state = state
        return [StateChanged(state)]
