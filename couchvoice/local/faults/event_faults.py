"""What becomes of server events on their faulty way to a client: lost, late, twice, swapped, garbled.

Pure: no clock, no tasks; it says what is to be sent and when, the session sends it. Law: nothing is invented but texts
that are no events; without faults each event goes at once, as it is; the same seed and key give each type of event the
same luck, however the types come in between each other.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import Any

from couchvoice.local.faults.faults import Faults

Event = dict[str, Any]

DEFAULT_SEED = 1
SWAP_MS = 50  # how long an event waits to be overtaken: no call may hang on an event that is waiting for the next

# Without these a client can neither begin nor see what is wrong: no pattern and no share means them.
_SPARED = frozenset({"session.created", "error"})
_HEARD = "conversation.item.input_audio_transcription"
_SOUND = "response.output_audio.delta"
_MALFORMED = ("", "null", "[]", "no JSON at all", '{"type":', '{"type": 1}', '{"event_id": "event_1"}', "[" * 1000)


class EventFaults:
    """``key`` says which call of the server it is: calls differ, runs do not."""

    def __init__(self, faults: Faults, *, key: str) -> None:
        self._faults = faults
        self._key = f"{DEFAULT_SEED if faults.seed is None else faults.seed}/{key}"
        self._luck: dict[tuple[str, str], random.Random] = {}
        self._lane = _Lane()
        self._late_lane = _Lane()  # of transcriptions that are late on purpose: the others do not wait for them

    def pass_on(self, event: Event, now_ms: int) -> list[tuple[int, Event | str]]:
        """What is to be sent, and when; what is due at once goes in the order in which it was handed out."""
        faults = self._faults
        heard = self._as_heard(event)
        if heard is None:
            return []
        kind = str(heard["type"])
        if faults.no_deltas and kind.endswith(".delta") and kind != _SOUND:
            return []
        if self._hits("drop", kind, faults.drop, faults.drop_rate):
            return []
        due = self._due(kind, now_ms)
        sent: list[tuple[int, Event | str]] = [(due, heard)]
        if self._hits("duplicate", kind, faults.duplicate, faults.duplicate_rate):
            sent.append((due, heard))
        if self._hits("malformed", kind, None, faults.malformed_rate):
            sent.insert(0, (due, self._drawn("malformation", kind).choice(_MALFORMED)))
        return sent

    def _due(self, kind: str, now_ms: int) -> int:
        faults = self._faults
        due = now_ms + (faults.delay_ms or 0)
        if faults.jitter_ms:
            due += self._drawn("jitter", kind).randint(0, faults.jitter_ms)
        swaps = self._hits("reorder", kind, None, faults.reorder_rate)
        if faults.transcription_delay_ms and kind.startswith(_HEARD):
            return self._late_lane.place(due + faults.transcription_delay_ms, swaps=swaps)
        return self._lane.place(due, swaps=swaps)

    def _as_heard(self, event: Event) -> Event | None:
        """What the client is told of the user's words; None: nothing."""
        fault, kind = self._faults.transcription, str(event["type"])
        if fault is None:
            return event
        if kind == "conversation.item.retrieved":
            return event | {"item": _unheard(event["item"], "" if fault == "empty" else None)}
        if not kind.startswith(_HEARD):
            return event
        match fault, kind.removeprefix(f"{_HEARD}."):
            case (("empty" | "failed"), "failed"):
                return event
            case "empty", "completed":
                return event | {"transcript": ""}
            case "failed", "completed":
                return _failed(event)
            case _:  # all of "none", and the words that come before the end
                return None

    def _hits(self, fault: str, kind: str, globs: tuple[str, ...] | None, rate: float | None) -> bool:
        """Whether a fault befalls this event: of those that the patterns name, or of all without any, a share does."""
        if globs is None:
            named = rate is not None and kind not in _SPARED
        elif kind in _SPARED:
            named = kind in globs
        else:
            named = any(fnmatchcase(kind, glob) for glob in globs)
        return named and (rate is None or self._drawn(fault, kind).random() < rate)

    def _drawn(self, fault: str, kind: str) -> random.Random:
        place = fault, kind
        if place not in self._luck:
            self._luck[place] = random.Random(f"{self._key}/{fault}/{kind}")
        return self._luck[place]


class _Lane:
    """Events that keep their order, but for those that let the next one overtake them."""

    def __init__(self) -> None:
        self._last = 0  # ms: nothing that is in order goes before
        self._waiting: int | None = None  # ms: until when the last one waits to be overtaken

    def place(self, due: int, *, swaps: bool) -> int:
        """When it goes."""
        due = max(due, self._last)
        if self._waiting is not None:
            # It overtakes; from here on the order holds again.
            self._last, self._waiting = max(due, self._waiting), None
            return due
        self._last = due
        if not swaps:
            return due
        self._waiting = due + SWAP_MS
        return self._waiting


def _failed(event: Event) -> Event:
    error = {"type": "transcription_error", "code": "audio_unintelligible", "message": "Nothing recognized."}
    kept = {name: event[name] for name in ("event_id", "item_id", "content_index")}
    return {"type": f"{_HEARD}.failed", **kept, "error": error}


def _unheard(item: Mapping[str, Any], transcript: str | None) -> dict[str, Any]:
    """An item as if what the user said in it had not been recognized."""
    content = [_unheard_part(part, transcript) for part in item.get("content", ())]
    return {**item, "content": content} if "content" in item else dict(item)


def _unheard_part(part: Mapping[str, Any], transcript: str | None) -> dict[str, Any]:
    return {**part, "transcript": transcript} if part["type"] == "input_audio" else dict(part)
