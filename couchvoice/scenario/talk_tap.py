"""Writes down a talk while it is held: what passes on the wire, what the session tells, what the script does.

``begin`` before connecting; the session gets it as its ``tap`` and as its ``sink``, and each notice goes to
``notice``. Law: it only writes down; nothing in the talk waits for it or is changed by it.
"""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from datetime import UTC, datetime

import msgspec

from couchvoice.audio.frames import FRAME_SAMPLES, SAMPLE_RATE, AudioFrame, is_audible
from couchvoice.audio.pacing import Ticker
from couchvoice.audio.packet_buffer import MediaPacket
from couchvoice.audio.playout import PlayoutBuffer
from couchvoice.core.notices import (
    AssistantTranscript,
    Interrupted,
    Notice,
    Problem,
    StateChanged,
    ToolActivity,
    ToolResult,
    TurnRecorded,
    UserTranscript,
)
from couchvoice.scenario.incoming import Incoming
from couchvoice.scenario.scrub import Scrubber
from couchvoice.scenario.talk_record import (
    Check,
    Entry,
    Interruption,
    RawEvent,
    State,
    Step,
    TalkRecord,
    ToolSpan,
    Trouble,
    TurnEntry,
    Words,
)
from couchvoice.scenario.tape import Tape


@dataclass(slots=True)
class _Call:
    """A tool's, so far."""

    name: str
    at: float
    status: str
    until: float | None = None
    output: object = None


class TalkTap:
    """A tap on the transport, and a Sink that keeps what it pulls. ``clock`` and ``speed`` as in TalkRecord."""

    def __init__(self, name: str, *, clock: str = "real", speed: float | None = 1.0) -> None:
        self._record = TalkRecord(name, datetime.now(UTC).isoformat(timespec="seconds"), clock=clock, speed=speed)
        self.last_audible: float | None = None  # when somebody would last have heard the assistant; as ``now``
        self._loop: asyncio.AbstractEventLoop | None = None
        self._zero = 0.0
        self._said, self._heard = Tape(), Tape()
        self._incoming = Incoming()
        self._calls: dict[str, _Call] = {}
        self._playout: PlayoutBuffer | None = None
        self._ticker = Ticker(self._pull)
        self._secrets: dict[str, str] = {}

    def begin(self) -> None:
        """Now is zero. Connecting is next."""
        self._loop = asyncio.get_running_loop()
        self._zero = self._loop.time()

    @property
    def now(self) -> float:
        """Seconds since ``begin``."""
        assert self._loop is not None  # begin comes first
        return self._loop.time() - self._zero

    # What the runner tells

    def notice(self, notice: Notice) -> None:
        match notice:
            case StateChanged(state):
                self._put(State(self.now, state.value))
            case UserTranscript(text=text, final=True):
                self._put(Words(self.now, "user", text))
            case AssistantTranscript(text=text, final=True, interrupted=interrupted):
                self._put(Words(self.now, "assistant", text, interrupted))
            case ToolActivity():
                self._tool(notice)
            case ToolResult(_, call_id, output):
                if call_id in self._calls:
                    self._calls[call_id].output = dict(output)
            case Interrupted(stop_ms):
                self._put(Interruption(self.now, stop_ms))
                self._measured("stop_ms", stop_ms)
            case TurnRecorded():
                self._turn(notice)
            case Problem(code, message):
                self._put(Trouble(self.now, code, message))
            case _:
                pass  # counts and devices: the raw events have the ones, and a script has none of the others

    def step(self, what: str, line: str | None = None) -> None:
        self._put(Step(self.now, what, line))

    def check(self, what: str, *, passed: bool, expected: str = "", got: str = "", line: str | None = None) -> None:
        self._put(Check(self.now, what, passed, expected, got, line))

    def keep_back(self, name: str, text: str | None) -> None:
        """No event in the record is to hold such a text: in its place stands the name. Whatever looks like a key is
        taken out in any case."""
        if text:
            self._secrets[name] = text

    def trouble(self, code: str) -> str | None:
        """What was said of the first one with this code."""
        troubles: list[Trouble] = self._record.of(Trouble)
        return next((trouble.message for trouble in troubles if trouble.code == code), None)

    def figure(self, name: str, ms: float) -> None:
        """One more measurement. ``response_ms``, ``stop_ms`` and ``tool_ms`` are taken from the notices."""
        self._record.figures.setdefault(name, []).append(round(ms, 1))

    def finish(self, outcome: str, error: str | None = None) -> TalkRecord:
        """The talk is over, and its session has ended."""
        record = self._record
        record.outcome, record.error = outcome, error
        record.said, record.heard = self._said.samples(), self._heard.samples()
        record.packets = self._incoming.packets
        arguments = _arguments(record)
        record.entries += [
            ToolSpan(
                call.at,
                call.name,
                call_id,
                call.status,
                call.until,
                arguments.get(call_id, ""),
                call.output,
            )
            for call_id, call in self._calls.items()
        ]
        self._calls.clear()
        scrubber = Scrubber(self._secrets, renumber=False)
        record.entries = [_scrubbed(entry, scrubber) for entry in record.entries]
        record.entries.sort(key=lambda entry: entry.at)
        return record

    # The tap

    def sent(self, event: str) -> None:
        self._put(RawEvent(self.now, "client", event))

    def received(self, event: str | bytes) -> None:
        text = event if isinstance(event, str) else event.decode("utf-8", "replace")
        self._put(RawEvent(self.now, "provider", text))

    def spoken(self, frame: AudioFrame) -> None:
        self._said.put(frame.samples, self.now)

    def heard(self, sound: MediaPacket | AudioFrame) -> None:
        self._incoming.put(sound, self.now)

    # The sink

    async def open(self, playout: PlayoutBuffer) -> None:
        self._playout = playout
        self._ticker.start()

    async def close(self) -> None:
        self._ticker.stop()

    def _pull(self, frames: int) -> None:
        assert self._playout is not None  # the ticker runs between open and close only
        samples = self._playout.pull(frames * FRAME_SAMPLES)
        if is_audible(samples):
            self.last_audible = self.now
        # A frame is due when its time has passed.
        self._heard.put(samples, max(0.0, self.now - samples.size / SAMPLE_RATE))

    # Behind

    def _put(self, entry: Entry) -> None:
        self._record.entries.append(entry)

    def _measured(self, name: str, ms: object) -> None:
        if isinstance(ms, int | float):
            self.figure(name, ms)

    def _tool(self, activity: ToolActivity) -> None:
        now = self.now
        call = self._calls.setdefault(activity.call_id, _Call(activity.name, now, activity.status))
        call.status = activity.status
        if activity.ms is not None:
            call.until = now
            self._measured("tool_ms", activity.ms)

    def _turn(self, told: TurnRecorded) -> None:
        turn = told.turn
        self._measured("response_ms", turn.timings.get("response_ms"))
        names = tuple(call.name for call in turn.tool_calls)
        words = turn.user_text, turn.assistant_text, turn.outcome.value
        self._put(TurnEntry(self.now, turn.index, *words, told.recorded, names, dict(turn.timings)))


def _scrubbed(entry: Entry, scrubber: Scrubber) -> Entry:
    match entry:
        case RawEvent(at, who, text):
            return RawEvent(at, who, scrubber.text(text))
        case ToolSpan():
            return msgspec.structs.replace(entry, output=scrubber.scrub(entry.output))
        case _:
            return entry


def _arguments(record: TalkRecord) -> dict[str, str]:
    """What each call was made with, by its id: from what the provider sent, or from what we sent for it."""
    found: dict[str, str] = {}
    for event in record.of(RawEvent):
        if '"function_call"' not in event.text:
            continue
        try:
            item = json.loads(event.text)["item"]
            if item["type"] == "function_call":
                found[str(item["call_id"])] = str(item["arguments"])
        except (ValueError, LookupError, TypeError):
            continue  # another event that only speaks of calls
    return found
