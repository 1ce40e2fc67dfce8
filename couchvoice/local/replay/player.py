"""The player: where a cassette stands, what falls due, and whether the client does what it did then.

The cassette's time goes on with the call's, but for two places: it waits where the client has not yet said what it said
then, and it skips the pause before something that the client says sooner. No clock of its own: ``step`` is 20 ms.
Law: the provider's events keep their order; a client event that the cassette does not know, or one that does not come,
ends the play with a reason.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from couchvoice.audio.frames import FRAME_MS, FRAME_SAMPLES, SAMPLE_RATE
from couchvoice.cassette import Cassette, Moment, Take
from couchvoice.local.replay.likeness import Names, difference, first_of_kind, own_ids, translated
from couchvoice.local.replay.reel import Reel

PATIENCE = 15.0  # seconds past its time for a client event; a tool may take longer than it did
MOST_AHEAD = 8  # client events that may overtake another: two tools finish in any order


class Mismatch(Exception):
    """The client does not do what it did when the cassette was recorded. The message is for people."""


@dataclass(slots=True)
class Step:
    """What 20 ms bring."""

    sound: NDArray[np.int16]
    events: list[Any] = field(default_factory=list)


class Tape:
    """A take, ready to be played any number of times."""

    def __init__(self, take: Take) -> None:
        self.asked: list[Moment] = []
        self.told: list[tuple[int, Moment]] = []  # with how many client events come before it
        for moment in take.moments:
            if moment.who == "client":
                self.asked.append(moment)
            else:
                self.told.append((len(self.asked), moment))
        self.own_ids = own_ids((moment.who, moment.event) for moment in take.moments)
        self.reel = Reel(take.packets)


class Deck:
    """A cassette, ready for callers: each gets the next of its takes, and then the first again."""

    def __init__(self, cassette: Cassette) -> None:
        self._tapes = itertools.cycle([Tape(take) for take in cassette.takes])

    def next(self) -> Tape:
        """Raises Mismatch when nobody was called as it was recorded."""
        tape = next(self._tapes, None)
        if tape is None:
            raise Mismatch("the cassette holds no call: when it was recorded, the talk never began")
        return tape


class Player:
    """One play of it."""

    def __init__(self, tape: Tape) -> None:
        self._reel = tape.reel
        self._told = tape.told
        self._asked = tape.asked
        self._next = 0  # of those to be told
        self._answered: list[bool] = [False] * len(self._asked)
        self._position = 0  # samples
        self._waited = 0  # ms
        self._names = Names(tape.own_ids)

    def step(self) -> Step:
        """20 ms later. Raises Mismatch when the client keeps the cassette waiting for too long."""
        self._skip_pause()
        if (awaited := self._awaited()) is not None and self._position >= _samples(awaited.at):
            self._wait(awaited)
            return Step(np.zeros(FRAME_SAMPLES, dtype=np.int16), self._due())
        self._waited = 0
        sound = self._reel.cut(self._position, FRAME_SAMPLES)
        self._position += FRAME_SAMPLES
        return Step(sound, self._due())

    def receive(self, message: str | bytes) -> None:
        """A client event. Raises Mismatch for one that the cassette does not know."""
        try:
            event = msgspec.json.decode(message)
        except (msgspec.DecodeError, RecursionError) as exc:
            raise Mismatch(f"the client sent {len(message)} bytes that are no JSON") from exc
        open_ones = [number for number, answered in enumerate(self._answered) if not answered]
        for number in open_ones[:MOST_AHEAD]:
            names = self._names.with_those_of(self._asked[number].event, event)
            if names is not None:
                self._names = names
                self._answered[number] = True
                return
        raise Mismatch(self._complaint(event, [self._asked[number] for number in open_ones]))

    @property
    def is_over(self) -> bool:
        """Everything has been said, by both."""
        return self._next == len(self._told) and self._awaited() is None and self._position >= self._reel.size

    def _awaited(self) -> Moment | None:
        """The first thing that the client has not said yet."""
        return next((asked for asked, done in zip(self._asked, self._answered, strict=True) if not done), None)

    def _due(self) -> list[Any]:
        due: list[Any] = []
        while self._next < len(self._told):
            after, moment = self._told[self._next]
            # By the order and not by the times: on a media clock an answer has the time of its question.
            if _samples(moment.at) > self._position or not all(self._answered[:after]):
                break
            due.append(translated(moment.event, self._names.now))
            self._next += 1
        return due

    def _skip_pause(self) -> None:
        """Nothing would happen until something that the client has said already: it is answered from here."""
        coming = [
            _samples(asked.at)
            for asked, done in zip(self._asked, self._answered, strict=True)
            if done and _samples(asked.at) > self._position
        ]
        if not coming:
            return
        target = min(coming)
        awaited = self._awaited()
        if awaited is not None and _samples(awaited.at) < target:
            return
        nothing_told = self._next == len(self._told) or _samples(self._told[self._next][1].at) >= target
        if nothing_told and self._reel.is_silent(self._position, target):
            self._position = target

    def _wait(self, awaited: Moment) -> None:
        self._waited += FRAME_MS
        if self._waited >= PATIENCE * 1000:
            raise Mismatch(
                f"at {awaited.at:.1f} s the client sent {_kind(awaited.event)}, and this client has not for "
                f"{PATIENCE:g} s: it must do what it did when the cassette was recorded"
            )

    def _complaint(self, event: Any, expected: list[Moment]) -> str:
        at = f"at {self._position / SAMPLE_RATE:.1f} s the client sent {_kind(event)}"
        if not expected:
            return f"{at}, which the cassette does not know: it expects nothing more"
        known = first_of_kind([moment.event for moment in expected], event)
        return f"{at}, which the cassette does not know:\n{difference(known, event)}"


def _samples(at: float) -> int:
    return round(at * SAMPLE_RATE)


def _kind(event: Any) -> str:
    return str(event.get("type", "an event without a type")) if isinstance(event, dict) else "no event"
