"""The turn ledger: which user items and which responses belong together, and when a turn is over.

Law: events are paired by item id, response id and ``previous_item_id``, never by the order in which transcripts
arrive; turns leave the ledger once, in the order in which they began.
"""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass

from couchvoice.core.answer import Answer
from couchvoice.core.calls import Call
from couchvoice.core.turn import FinishedTurn, Line, Outcome, Transcript, Turn, UserItem

TRANSCRIPT_TIMEOUT = 5.0  # seconds after the answer was heard out
LAST_TRANSCRIPT_TIMEOUT = 1.0  # seconds, at the end of the session
UNASKED_TIMEOUT = 5.0  # seconds; where the server does not answer by itself, how long an answer may be asked for
REMEMBERED_LINES = 40
REMEMBERED_CHARACTERS = 16_000  # of the lines that a tool is given, the newest


@dataclass(frozen=True, slots=True)
class Expected:
    """What is on its way to the turns. ``continues``: after the calls of these responses the model speaks on."""

    response: bool  # one that we want has not begun
    answer: bool  # what was said will be answered, whether or not that was asked for yet
    continues: Collection[str] = ()


class TurnLedger:
    """``key`` makes the client_turn_ids of two sessions differ."""

    def __init__(self, key: str) -> None:
        self._key = key
        self._open: deque[Turn] = deque()
        self._by_item: dict[str, Turn] = {}
        self._by_response: dict[str, Turn] = {}
        self._output_items: dict[str, str] = {}  # assistant or call item id -> response id
        self._unplaced: dict[str, str] = {}  # output item id -> previous_item_id that nobody knows yet
        self._begun = ("", 0.0)  # the item whose words began last, and when
        self._spoken_at: float | None = None  # the end of speech that was heard last, if nothing was typed since
        self._measured: dict[str, float] = {}  # elsewhere, for the next turn that is over
        self._past: deque[Line] = deque(maxlen=REMEMBERED_LINES)
        self._past_items: set[str] = set()
        self._past_responses: set[str] = set()
        self._count = 0
        self._patience = TRANSCRIPT_TIMEOUT
        self._finished = False

    def expect_words(self, told: bool) -> None:
        """Whether transcripts of the user will come at all."""
        self._patience = TRANSCRIPT_TIMEOUT if told else 0.0

    def measured(self, name: str, ms: float) -> None:
        """Something of the talk, told with the next turn that is over; of several the longest."""
        self._measured[name] = max(ms, self._measured.get(name, 0.0))

    # What the user said

    def speech_began(self, item_id: str, now: float) -> None:
        self._begun = (item_id, now)

    def speech_ended(self, item_id: str, now: float) -> None:
        """After ``user_item``: drafts may have told of the item while it was spoken."""
        if turn := self._by_item.get(item_id):
            turn.items[item_id].spoken_at = self._spoken_at = now

    def user_item(self, item_id: str, now: float, *, spoken: bool = True) -> None:
        """An item of the user's is in the conversation, or about to be."""
        if self._finished or item_id in self._by_item or item_id in self._past_items:
            return
        turn = self._open[-1] if self._open and self._open[-1].unanswered else self._begin()
        begun_at = self._begun[1] if self._begun[0] == item_id else None
        pause = None if begun_at is None or self._spoken_at is None else max(0.0, begun_at - self._spoken_at)
        turn.items[item_id] = UserItem(begun_at=begun_at, spoken_at=now if spoken else None, pause=pause)
        self._spoken_at = now if spoken else None
        turn.spoken_at, turn.typed_at = (now, None) if spoken else (None, now)
        self._by_item[item_id] = turn
        for name in [name for name, previous in self._unplaced.items() if previous == item_id]:
            self.place(name, item_id)

    def user_draft(self, item_id: str, delta: str, now: float) -> str:
        """The draft so far. A draft that comes after the final text changes nothing."""
        item = self._said(item_id, now)
        if item is None:
            return delta
        if item.transcript is Transcript.PENDING:
            item.text += delta
            item.written(now)
        return item.text

    def user_final(self, item_id: str, text: str, now: float) -> None:
        if item := self._said(item_id, now):
            item.text, item.transcript = text.strip(), Transcript.FINAL
            item.written(now)
            item.told_at = now

    def user_failed(self, item_id: str, now: float) -> None:
        if (item := self._said(item_id, now)) and item.transcript is Transcript.PENDING:
            item.text, item.transcript = "", Transcript.FAILED

    def knows_item(self, item_id: str) -> bool:
        return item_id in self._by_item or item_id in self._past_items or item_id in self._output_items

    # What the assistant does

    def response_created(
        self, response_id: str, *, continues: str | None = None, reports: Collection[Call] = ()
    ) -> None:
        """``continues``: the response after whose calls this one speaks on; else it is to the last words.

        ``reports``: calls whose results it knows, and nobody has to say a word for it.
        """
        last = self._open[-1] if self._open else self._begin(expects_words=not reports)
        turn = self._by_response.get(continues or "", last)
        turn.answers[response_id] = Answer()
        self._by_response[response_id] = turn
        for call in reports:
            call.response_id = response_id
            turn.calls.append(call)

    def knows(self, response_id: str) -> bool:
        return response_id in self._by_response or response_id in self._past_responses

    def output_item(self, response_id: str, item_id: str) -> None:
        """An output item of a response; its ``previous_item_id`` comes with ``conversation.item.added``."""
        self._output_items.setdefault(item_id, response_id)
        if item_id in self._unplaced:
            self.place(item_id, self._unplaced[item_id])

    def place(self, item_id: str, previous_item_id: str) -> None:
        """The server says which user item a response answers. It knows better than the order of events."""
        response_id = self._output_items.get(item_id, "")
        owner, turn = self._by_item.get(previous_item_id), self._by_response.get(response_id)
        if owner is None or turn is None:
            self._unplaced[item_id] = previous_item_id
            return
        self._unplaced.pop(item_id, None)
        if owner is turn:
            self._split_after(turn, previous_item_id)
        else:
            self._move(response_id, turn, owner)

    def add_call(self, call: Call) -> None:
        self._by_response[call.response_id].calls.append(call)

    def answer(self, response_id: str) -> Answer | None:
        """None: its turn is over, or nobody knows it."""
        turn = self._by_response.get(response_id)
        return turn.answers[response_id] if turn else None

    def answers(self) -> Iterator[tuple[str, Answer]]:
        """Those of the turns that are not over, by response id."""
        for turn in self._open:
            yield from turn.answers.items()

    def overtake(self, continues: Collection[str]) -> bool:
        """Who has spoken on waits for no tool: the turns that do are cut. True: what was to follow them is as well."""
        if not self._open or self._open[-1].spoken_at is None:
            return False
        cut = [turn for turn in list(self._open)[:-1] if turn.calling or turn.holds(continues)]
        for turn in cut:
            turn.cut_short = Outcome.INTERRUPTED
        return bool(cut)

    def goes_on(self, response_id: str) -> bool:
        """Whether the turn of this response may still get the answer after its calls."""
        turn = self._by_response.get(response_id)
        return turn is not None and turn.cut_short is None

    def give_up(self, response_id: str | None = None) -> None:
        """No (other) answer will come: to the words of this response's turn, or to the last words of all."""
        last = self._open[-1] if self._open else None
        turn = self._by_response.get(response_id) if response_id else last
        if turn:
            turn.given_up = True

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
        """The conversation so far: the last lines, as many as REMEMBERED_CHARACTERS hold."""
        lines: deque[Line] = deque()
        room = REMEMBERED_CHARACTERS
        for line in reversed([*self._past, *(line for turn in self._open for line in turn.lines())]):
            room -= len(line.content)
            if room < 0:
                break
            lines.appendleft(line)
        return tuple(lines)

    # How turns leave

    @property
    def owes(self) -> bool:
        return bool(self._open)

    @property
    def answer_owed(self) -> bool:
        """Somebody spoke and no response is known yet."""
        return bool(self._open) and self._open[-1].unanswered and bool(self._open[-1].items)

    @property
    def words_unanswered(self) -> bool:
        """Somebody's words are known, and no response to them."""
        return self.answer_owed and bool(self._open[-1].user_text)

    def finish(self, outcome: Outcome, now: float, *, patience: float) -> None:
        """No more talk: what is not settled is cut. Transcripts may still come for ``patience`` seconds."""
        self._finished, self._patience = True, patience
        for turn in self._open:
            if turn.settled_at is None:
                turn.cut_short = outcome
            turn.settled_at, turn.given_up = now, True

    def take_closed(self, now: float, expected: Expected) -> list[FinishedTurn]:
        """The turns that are over by now. Those without a word are dropped: there is nothing to record."""
        if not self._finished:
            self._join_unanswered()
            for turn in self._open:
                self._settle(turn, now, expected)
        for turn in self._open:
            for due, stop_waiting in self._dues(turn):
                if now >= due:
                    stop_waiting()
        closed: list[FinishedTurn] = []
        while self._open and self._open[0].settled_at is not None and not any(self._dues(self._open[0])):
            turn = self._open.popleft()
            self._forget(turn)
            if turn.user_text or turn.assistant_text:
                self._count += 1
                closed.append(turn.finished(self._count, self._key, self._measured))
                self._measured = {}
        return closed

    def next_timeout(self) -> float | None:
        return min((due for turn in self._open for due, _ in self._dues(turn)), default=None)

    def _dues(self, turn: Turn) -> Iterator[tuple[float, Callable[[], None]]]:
        """What a turn that is settled still waits for: until when, and what ends it then."""
        if turn.settled_at is not None and turn.awaits_transcript:
            yield turn.settled_at + self._patience, turn.stop_waiting
        if turn.settled_at is not None and turn.unanswered:
            yield turn.settled_at + UNASKED_TIMEOUT, turn.give_up

    def _begin(self, *, expects_words: bool = True) -> Turn:
        turn = Turn(expects_words=expects_words)
        self._open.append(turn)
        return turn

    def _said(self, item_id: str, now: float) -> UserItem | None:
        """The item that a transcript belongs to. None: its turn is over, or it is no user item."""
        if item_id in self._output_items or item_id in self._past_items:
            return None
        last = self._open[-1] if self._open else None
        if item_id not in self._by_item and last and last.answers and not last.items and last.expects_words:
            # A server that announces no items: the words belong to the answer that nobody asked for.
            last.items[item_id] = UserItem()
            self._by_item[item_id] = last
        self.user_item(item_id, now)
        turn = self._by_item.get(item_id)
        return turn.items[item_id] if turn else None

    def _move(self, response_id: str, turn: Turn, owner: Turn) -> None:
        owner.answers[response_id] = turn.answers.pop(response_id)
        owner.calls += [call for call in turn.calls if call.response_id == response_id]
        turn.calls = [call for call in turn.calls if call.response_id != response_id]
        self._by_response[response_id] = owner

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

    def _join_unanswered(self) -> None:
        """What was said without getting an answer belongs to what was said next."""
        for turn, following in itertools.pairwise(list(self._open)):
            if turn.unanswered:
                self._open.remove(turn)
                following.items = turn.items | following.items
                following.answers = turn.answers | following.answers
                self._by_item |= dict.fromkeys(turn.items, following)
                self._by_response |= dict.fromkeys(turn.answers, following)

    def _settle(self, turn: Turn, now: float, expected: Expected) -> None:
        # Responses go to the last turn: those before it get no more than what follows their calls.
        is_last = turn is self._open[-1]
        waiting = is_last and (expected.response or (turn.unanswered and expected.answer))
        if waiting or turn.holds(expected.continues) or not turn.quiet:
            turn.settled_at = None
        elif turn.settled_at is None:
            turn.settled_at = now

    def _forget(self, turn: Turn) -> None:
        self._past.extend(turn.lines())
        for item_id in turn.items:
            del self._by_item[item_id]
        for response_id in turn.answers:
            del self._by_response[response_id]
        self._past_items |= turn.items.keys()
        self._past_responses |= turn.answers.keys()
