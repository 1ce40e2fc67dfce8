"""The turn ledger: which user items and which responses belong together, and when a turn is over.

Law: events are paired by item id, response id and ``previous_item_id``, never by the order in which transcripts
arrive; turns leave the ledger once, in the order in which they began.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

from couchvoice.core.calls import Call
from couchvoice.core.turn import Answer, FinishedTurn, Line, Outcome, Sound, Transcript, Turn, UserItem

TRANSCRIPT_TIMEOUT = 5.0  # seconds after the answer was heard out
LAST_TRANSCRIPT_TIMEOUT = 1.0  # seconds, at the end of the session
BUFFER_EVENT_TIMEOUT = 0.5  # seconds after response.done; later nobody will send output_audio_buffer.started
HEARD_OUT_TIMEOUT = 300.0  # seconds after response.done; a server that never says stopped must not hold a turn for ever
REMEMBERED_LINES = 40


class TurnLedger:
    """``key`` makes the client_turn_ids of two sessions differ."""

    def __init__(self, key: str) -> None:
        self._key = key
        self._open: deque[Turn] = deque()
        self._by_item: dict[str, Turn] = {}
        self._by_response: dict[str, Turn] = {}
        self._past: deque[Line] = deque(maxlen=REMEMBERED_LINES)
        self._past_responses: set[str] = set()
        self._past_items: set[str] = set()
        self._output_items: dict[str, str] = {}  # assistant or call item id -> response id
        self._count = 0
        self._patience = TRANSCRIPT_TIMEOUT
        self._audible = False

    # What the user said

    def user_item(self, item_id: str, now: float, *, spoken: bool = True) -> None:
        """An item of the user's is in the conversation, or about to be."""
        if item_id in self._by_item or item_id in self._past_items:
            return
        turn = self._open[-1] if self._open and self._open[-1].unanswered else self._begin()
        turn.items[item_id] = UserItem()
        turn.spoken_at = now if spoken else None
        self._by_item[item_id] = turn

    def user_draft(self, item_id: str, delta: str, now: float) -> str:
        """The draft so far. A draft that comes after the final text changes nothing."""
        item = self._heard(item_id, now)
        if item is None:
            return delta
        if item.transcript is Transcript.PENDING:
            item.text += delta
        return item.text

    def user_final(self, item_id: str, text: str, now: float) -> None:
        if item := self._heard(item_id, now):
            item.text, item.transcript = text.strip(), Transcript.FINAL

    def user_failed(self, item_id: str, now: float) -> None:
        if (item := self._heard(item_id, now)) and item.transcript is Transcript.PENDING:
            item.text, item.transcript = "", Transcript.FAILED

    # What the assistant does

    def response_created(self, response_id: str, now: float, *, asked: bool) -> None:
        turn = self._open[-1] if self._open else self._begin()
        if not turn.answers:
            turn.asked = asked
        self.give_up_continuing()
        for earlier in (answer for open_turn in self._open for answer in open_turn.answers.values()):
            # One response at a time: whoever begins one has ended those before, even if we were not told.
            earlier.done_at = now if earlier.done_at is None else earlier.done_at
        turn.answers[response_id] = Answer()
        turn.settled_at = None
        self._by_response[response_id] = turn

    def knows(self, response_id: str) -> bool:
        return response_id in self._by_response or response_id in self._past_responses

    def output_item(self, response_id: str, item_id: str) -> None:
        """An output item of a response; its ``previous_item_id`` comes with ``conversation.item.added``."""
        self._output_items.setdefault(item_id, response_id)
        if turn := self._by_response.get(response_id):
            self._by_item.setdefault(item_id, turn)

    def place(self, item_id: str, previous_item_id: str) -> None:
        """The server says which user item a response answers. It knows better than the order of events."""
        response_id = self._output_items.get(item_id, "")
        owner, turn = self._by_item.get(previous_item_id), self._by_response.get(response_id)
        if owner is None or turn is None or previous_item_id not in owner.items:
            return
        if owner is turn:
            self._split_after(turn, previous_item_id)
            return
        owner.answers[response_id] = turn.answers.pop(response_id)
        owner.settled_at = None
        for name in [name for name, of in self._output_items.items() if of == response_id]:
            self._by_item[name] = owner
        self._by_response[response_id] = owner
        if not turn.items and not turn.answers:
            self._open.remove(turn)

    def answer(self, response_id: str) -> Answer | None:
        turn = self._by_response.get(response_id)
        return turn.answers.get(response_id) if turn else None

    def playing(self) -> Iterator[str]:
        """The responses that can be heard, or are about to be."""
        for turn in self._open:
            for response_id, answer in turn.answers.items():
                if answer.sound in (Sound.COMING, Sound.PLAYING):
                    yield response_id

    @property
    def speaking(self) -> bool:
        answers = (self.answer(response_id) for response_id in self.playing())
        return any(answer and (self._audible or answer.sound is Sound.PLAYING) for answer in answers)

    def sounded(self, response_id: str, now: float) -> None:
        """The first sound of an answer."""
        turn = self._by_response.get(response_id)
        if turn and turn.response_ms is None and turn.spoken_at is not None:
            turn.response_ms = (now - turn.spoken_at) * 1000

    def add_call(self, call: Call) -> None:
        if turn := self._by_response.get(call.response_id):
            turn.calls.append(call)

    def continues(self, response_id: str) -> None:
        """A response to the outputs of this response's calls is to come."""
        turn = self._by_response.get(response_id)
        # Words that came since get the next response; it has seen the outputs too.
        if turn and turn is self._open[-1]:
            turn.continuing = True

    def give_up_continuing(self) -> None:
        for turn in self._open:
            turn.continuing = False

    def playback_changed(self, *, audible: bool) -> None:
        """Whether the speaker plays something: all there is to go by where no buffer events come."""
        self._audible = audible

    # What a tool may need to know

    def user_words(self, turns: int) -> Iterator[str]:
        """What the user said in the open turns and in the last ones before them, newest first."""
        yield from (turn.user_text for turn in reversed(self._open))
        said = [line.content for line in self._past if line.role == "user"]
        yield from reversed(said[-turns:])

    def current_message(self, response_id: str) -> str:
        turn = self._by_response.get(response_id)
        return turn.user_text if turn else ""

    def lines(self) -> tuple[Line, ...]:
        return (*self._past, *(line for turn in self._open for line in turn.lines()))

    # How turns leave

    @property
    def owes(self) -> bool:
        return bool(self._open)

    @property
    def answer_owed(self) -> bool:
        """Somebody spoke and no response is known yet."""
        return bool(self._open) and self._open[-1].unanswered and bool(self._open[-1].items)

    def finish(self, outcome: Outcome, now: float, *, patient: bool) -> None:
        """No more talk: what is not settled is cut. ``patient``: transcripts may still come for a moment."""
        self._patience = LAST_TRANSCRIPT_TIMEOUT if patient else 0.0
        for turn in self._open:
            if not turn.settled:
                turn.cut_short = outcome
            turn.settled_at = now

    def take_closed(self, now: float) -> list[FinishedTurn]:
        """The turns that are over by now. Those without a word are dropped: there is nothing to record."""
        for turn in self._open:
            self._settle(turn, now)
        closed: list[FinishedTurn] = []
        while self._open and self._is_over(self._open[0], now):
            turn = self._open.popleft()
            self._forget(turn)
            if turn.user_text or turn.assistant_text:
                self._count += 1
                closed.append(turn.finished(self._count, self._key))
        return closed

    def next_timeout(self) -> float | None:
        times = [turn.settled_at + self._patience for turn in self._open if turn.settled_at is not None]
        for turn in self._open:
            for answer in turn.answers.values():
                if answer.done_at is None or answer.heard_out:
                    continue
                if answer.sound is Sound.COMING and not self._audible:
                    times.append(answer.done_at + BUFFER_EVENT_TIMEOUT)
                else:
                    times.append(answer.done_at + HEARD_OUT_TIMEOUT)
        return min(times, default=None)

    def _begin(self) -> Turn:
        turn = Turn()
        self._open.append(turn)
        return turn

    def _heard(self, item_id: str, now: float) -> UserItem | None:
        """The item that a transcript belongs to. None: its turn is over, or it is no user item."""
        last = self._open[-1] if self._open else None
        if item_id not in self._by_item and last and last.answers and not last.items and not last.asked:
            # A server that announces no items: the words belong to the answer that nobody asked for.
            last.items[item_id] = UserItem()
            self._by_item[item_id] = last
        self.user_item(item_id, now)
        turn = self._by_item.get(item_id)
        return turn.items.get(item_id) if turn else None

    def _split_after(self, turn: Turn, item_id: str) -> None:
        """The answer is to the items up to this one; what was said after it waits for its own."""
        later = list(turn.items)[list(turn.items).index(item_id) + 1 :]
        if not later or len(turn.answers) > 1:
            return
        following = Turn(spoken_at=turn.spoken_at)
        self._open.insert(self._open.index(turn) + 1, following)
        for name in later:
            following.items[name] = turn.items.pop(name)
            self._by_item[name] = following

    def _settle(self, turn: Turn, now: float) -> None:
        for answer in turn.answers.values():
            if answer.done_at is None or answer.heard_out:
                continue
            unsaid = answer.sound is Sound.COMING and now >= answer.done_at + BUFFER_EVENT_TIMEOUT
            if (unsaid and not self._audible) or now >= answer.done_at + HEARD_OUT_TIMEOUT:
                answer.sound = Sound.OVER
        if turn.cut_short is None:
            turn.settled_at = (turn.settled_at or now) if turn.settled else None

    def _is_over(self, turn: Turn, now: float) -> bool:
        if turn.settled_at is None:
            # Its answer went to what was said after it: nothing more will come for this one.
            return turn.unanswered and any(later.settled_at is not None for later in self._open if later is not turn)
        return not turn.awaits_transcript or now >= turn.settled_at + self._patience

    def _forget(self, turn: Turn) -> None:
        self._past.extend(turn.lines())
        self._past_responses |= turn.answers.keys()
        for item_id in [name for name, owner in self._by_item.items() if owner is turn]:
            del self._by_item[item_id]
            self._past_items.add(item_id)
        for response_id in turn.answers:
            self._by_response.pop(response_id, None)
