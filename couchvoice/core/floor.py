"""The floor: whether the user has it, by speech that the server detects or by a button, and what follows when not.

Not the assistant's side: ear and gate have that. Law: while the user has the floor nothing is asked for; what was said
is asked for once, by the server or by us.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from couchvoice.core import server_events as server
from couchvoice.core.effects import Effect
from couchvoice.core.ids import Ids
from couchvoice.core.push_to_talk import Button, PushToTalk
from couchvoice.core.responses import ResponseGate
from couchvoice.core.turn_detection import TurnDetection, read_turn_detection
from couchvoice.core.turns import TurnLedger
from couchvoice.errors import InvalidState


class Floor:
    def __init__(self, ids: Ids, ledger: TurnLedger, gate: ResponseGate) -> None:
        self._ledger = ledger
        self._gate = gate
        self._push = PushToTalk(ids)
        self._detection = TurnDetection()
        self._spoken: str | None = None  # the item that the user is speaking now

    @property
    def taken(self) -> bool:
        """The user speaks."""
        return self._spoken is not None or self._push.button is Button.DOWN

    @property
    def open(self) -> bool:
        """What the microphone hears is meant for the assistant."""
        return self._detection.detects or self._push.button is Button.DOWN

    @property
    def pressed(self) -> bool:
        """The button is down, or what was said with it is not committed yet."""
        return self._push.busy

    @property
    def answered_by_server(self) -> bool:
        """The end of speech begins a response."""
        return self._detection.answers

    # Facts

    def configure(self, config: Mapping[str, Any], now: float) -> list[Effect]:
        before, self._detection = self._detection, read_turn_detection(config) or self._detection
        if self._spoken is not None and not self._detection.detects:
            self._spoken = None  # nobody will tell where this speech ends
            return self._gate.let_go(now)
        if self._detection.detects and not before.detects:
            self._push.abandon()
            waiting = self._gate.let_go(now)
            self.give_up_unless_expected()
            return waiting
        return []

    def speech_started(self, item_id: str, now: float) -> bool:
        """Whether that interrupts the assistant."""
        if not self._detection.detects:
            return False  # a late word of a detection that was switched off
        self._ledger.speech_began(item_id, now)
        self._spoken = item_id
        self._gate.hold()
        return self._detection.interrupts

    def speech_stopped(self, item_id: str, now: float) -> None:
        self.user_item(item_id, now)
        self._ledger.speech_ended(item_id, now)
        if self._spoken is not None:
            self._spoken = None
            self._gate.leave(now)  # the commit follows: before it, an answer would miss these words

    def committed(self, item_id: str, now: float) -> list[Effect]:
        # A server may commit without speech_stopped; a commit of other words does not end these.
        over = self._spoken in (item_id, None)
        self.user_item(item_id, self._push.committed(item_id, now))
        if not over or not self._detection.detects:
            return self.answer_speech(now)
        self._spoken = None
        if not self._detection.answers:
            return self._gate.let_go(now)
        self._gate.leave(now)
        return []

    def item_added(self, item: server.Item, now: float) -> list[Effect]:
        """An item of the user's."""
        # Text that we did not type is history that somebody put back: it was a turn already.
        if item.id is None or any(part.type == "input_text" for part in item.content or ()):
            return []
        self.user_item(item.id, self.said_at(item.id, now))
        return self.answer_speech(now)

    def press(self, now: float) -> list[Effect]:
        """The button is down: nothing if it was before. Raises InvalidState while the server detects turns."""
        if self._detection.detects:
            raise InvalidState("the server detects turns: set_turn_detection(None) first")
        speaking = self._push.press(now)
        self._gate.hold()
        return speaking

    def release(self, now: float) -> list[Effect]:
        """The button is up. Without a press nothing happens."""
        return self._push.release(now) + self.answer_speech(now)

    def refused(self, error: server.ErrorDetail, now: float) -> list[Effect]:
        """An error came: it may be the answer to a commit of ours."""
        return self.answer_speech(now) if self._push.refused(error) else []

    def abandon(self) -> None:
        """The talk is over."""
        self._push.abandon()

    def next_timeout(self) -> float | None:
        return self._push.next_timeout()

    def expire(self, now: float) -> list[Effect]:
        effects = self._push.expire(now, words_known=self._ledger.words_unanswered)
        return effects + self.answer_speech(now)

    # What follows

    def user_item(self, item_id: str, at: float) -> None:
        self._ledger.user_item(item_id, at)
        self.overtake()

    def overtake(self) -> None:
        """New words go before the answer to a tool of the words before them."""
        if self._ledger.overtake(self._gate.continues):
            self._gate.join()

    def said_at(self, item_id: str, now: float) -> float:
        """An item that nobody announced tells as well as ``committed`` that a commit of ours holds."""
        if self._ledger.knows_item(item_id) or not self._push.awaits_commit:
            return now
        return self._push.committed(item_id, now)

    def answer_speech(self, now: float) -> list[Effect]:
        """The user has let go of the button: ask for the answer to what was said, and for what had to wait."""
        said = self._push.take_result()
        if said is None:
            return []
        effects = (self._gate.request(now) if said else []) + self._gate.let_go(now)
        self.give_up_unless_expected()
        return effects

    def give_up_unless_expected(self) -> None:
        """No answer will come to what was said, unless one is asked for."""
        if not self._gate.expects:
            self._ledger.give_up()
