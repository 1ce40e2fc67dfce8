"""Push-to-talk: the button that says when the user speaks, where nobody else does (``turn_detection: null``).

Not the key or the knob, nor the microphone. Law: an answer is asked for once, when everything that was said is
committed and the button is up; a press with nothing in it asks for none.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass

from couchvoice.core import server_events as server
from couchvoice.core.client_events import InputClear, InputCommit
from couchvoice.core.effects import Effect, SendEvent
from couchvoice.core.error_codes import EMPTY_COMMIT
from couchvoice.core.ids import Ids
from couchvoice.core.notices import Problem

MIN_PRESS = 0.1  # seconds; OpenAI commits no less than 100 ms
# aiortc plays received sound 80 ms late: a commit that goes out with the last word would overtake it.
COMMIT_DELAY = 0.1  # seconds
COMMIT_TIMEOUT = 5.0  # seconds

_UNANSWERED = "the provider did not answer input_audio_buffer.commit"


class Button(enum.Enum):
    UP = "up"  # nobody speaks
    DOWN = "down"  # the user speaks
    RELEASED = "released"  # the last sound is on its way to the server


@dataclass(frozen=True, slots=True)
class _Commit:
    released_at: float
    due: float


class PushToTalk:
    def __init__(self, ids: Ids) -> None:
        self.button = Button.UP
        self._ids = ids
        self._pressed_at = 0.0
        self._released_at = 0.0
        self._commits: dict[str, _Commit] = {}  # unanswered, by event_id
        self._committed: set[str] = set()  # items
        self._result: bool | None = None  # of the presses since ``take_result``: whether they said something

    @property
    def busy(self) -> bool:
        """Something is being said, or not known to be committed."""
        return self.button is not Button.UP or bool(self._commits)

    def press(self, now: float) -> list[Effect]:
        """A key that repeats presses again and again: only the first one counts."""
        was, self.button = self.button, Button.DOWN
        if was is not Button.UP:
            return []  # pressed again before the last sound had arrived: it is the same speech
        self._pressed_at, self._result = now, self._result or False
        return [SendEvent(InputClear(self._ids.event()))]

    def release(self, now: float) -> list[Effect]:
        """Without a press nothing happens."""
        if self.button is not Button.DOWN:
            return []
        if now - self._pressed_at < MIN_PRESS:
            self.button = Button.UP
            return [SendEvent(InputClear(self._ids.event()))]
        self.button, self._released_at = Button.RELEASED, now
        return []

    @property
    def awaits_commit(self) -> bool:
        return bool(self._commits)

    def committed(self, item_id: str, now: float) -> float:
        """The oldest commit holds. When its speech ended: now, if it was not ours, or this item was told before."""
        known = item_id in self._committed
        self._committed.add(item_id)
        if known or not self._commits:
            return now
        self._result = True
        return self._commits.pop(next(iter(self._commits))).released_at

    def refused(self, error: server.ErrorDetail) -> bool:
        """Whether this tells that a commit of ours does not hold. Not every server says which."""
        named = error.event_id
        if named is None and error.code == EMPTY_COMMIT:
            named = next(iter(self._commits), None)
        return named is not None and self._commits.pop(named, None) is not None

    def take_result(self) -> bool | None:
        """Whether something was said; once, when the button is up and nothing is on its way. None: not now."""
        if self.busy:
            return None
        result, self._result = self._result, None
        return result

    def abandon(self) -> None:
        """Somebody else detects turns now, or the talk is over."""
        self.button, self._result = Button.UP, None
        self._commits.clear()

    def next_timeout(self) -> float | None:
        dues = [commit.due for commit in self._commits.values()]
        if self.button is Button.RELEASED:
            dues.append(self._released_at + COMMIT_DELAY)
        return min(dues, default=None)

    def expire(self, now: float, *, words_known: bool) -> list[Effect]:
        """``words_known``: something was said for certain, though no commit was answered."""
        late = [name for name, commit in self._commits.items() if now >= commit.due]
        if late and words_known:
            self._result = True
        for name in late:
            del self._commits[name]
        effects: list[Effect] = [Problem("commit_timeout", _UNANSWERED) for _ in late]
        if self.button is Button.RELEASED and now >= self._released_at + COMMIT_DELAY:
            self.button = Button.UP
            commit = InputCommit(self._ids.event())
            self._commits[commit.event_id] = _Commit(self._released_at, due=now + COMMIT_TIMEOUT)
            effects.append(SendEvent(commit))
        return effects
