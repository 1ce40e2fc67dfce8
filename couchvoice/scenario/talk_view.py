"""What the report's page is told of a talk: plain JSON, with everything computed that a browser should not.

Law: nothing is left out but the samples themselves, of which the page gets the peaks and a compressed copy.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from couchvoice.audio.frames import SAMPLE_RATE
from couchvoice.scenario.percentiles import percentiles
from couchvoice.scenario.sound_file import webm_from_sides
from couchvoice.scenario.talk_record import (
    Check,
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

PEAKS_PER_SECOND = 100
_LOUDEST = 32_768
_STOPPED = "input_audio_buffer.speech_stopped"
_BEGINNINGS = (["provider", "input_audio_buffer.speech_started"], ["client", "conversation.item.create"])


def talk_view(record: TalkRecord) -> dict[str, Any]:
    """For the timeline."""
    return {
        **run_view(record),
        "error": record.error,
        "events": [_event(event) for event in record.of(RawEvent)],
        "states": list(_states(record)),
        "steps": _plain(record.of(Step)),
        "words": _plain(record.of(Words)),
        "tools": [_plain([tool])[0] | {"output": _shown(tool.output)} for tool in record.of(ToolSpan)],
        "turns": list(_turns(record)),
        "interruptions": _plain(record.of(Interruption)),
        "troubles": _plain(record.of(Trouble)),
        "checks": _plain(record.of(Check)),
        "peaks": {"rate": PEAKS_PER_SECOND, "said": _peaks(record.said), "heard": _peaks(record.heard)},
        "audio": _audio(record),
    }


def run_view(record: TalkRecord) -> dict[str, Any]:
    """For the table of runs."""
    return {
        "name": record.name,
        "began": record.began,
        "clock": record.clock,
        "speed": record.speed,
        "outcome": record.outcome,
        "seconds": round(record.seconds, 3),
        "figures": {name: percentiles(values) for name, values in record.figures.items() if values},
    }


def _event(event: RawEvent) -> list[Any]:
    try:
        kind = json.loads(event.text)["type"]
    except (ValueError, LookupError, TypeError, RecursionError):
        kind = "(no event)"
    return [round(event.at, 3), event.who, str(kind), event.text]


def _states(record: TalkRecord) -> Iterable[tuple[float, float, str]]:
    states: list[State] = record.of(State)
    ends = [*(state.at for state in states[1:]), record.seconds]
    for state, end in zip(states, ends, strict=False):
        yield round(state.at, 3), round(end, 3), state.state


def _turns(record: TalkRecord) -> Iterable[dict[str, Any]]:
    """Each from its first words on, with the stretch between the user's last sound and the first of the answer."""
    events = [_event(event) for event in record.of(RawEvent)]
    stops = [event[0] for event in events if event[2] == _STOPPED]
    begins = [event[0] for event in events if event[1:3] in _BEGINNINGS]
    before = 0.0
    for turn in record.of(TurnEntry):
        response_ms = turn.timings.get("response_ms")
        wait = None
        if isinstance(response_ms, int | float):
            fitting = [at for at in stops if before <= at and at + response_ms / 1000 <= turn.at]
            wait = [fitting[-1], response_ms] if fitting else None
        yield _plain([turn])[0] | {"wait": wait, "since": next((at for at in begins if before <= at < turn.at), before)}
        before = turn.at


def _plain(entries: Iterable[Any]) -> list[dict[str, Any]]:
    return [{name: getattr(entry, name) for name in entry.__struct_fields__} for entry in entries]


def _shown(output: object) -> str | None:
    return None if output is None else json.dumps(output, ensure_ascii=False, indent=2, default=str)


def _peaks(samples: NDArray[np.int16]) -> str:
    """The loudest sample of every 10 ms, as one byte; base64."""
    step = SAMPLE_RATE // PEAKS_PER_SECOND
    whole = -(-samples.size // step) * step
    padded = np.zeros(whole, dtype=np.int32)
    padded[: samples.size] = np.abs(samples.astype(np.int32))
    peaks = padded.reshape(-1, step).max(axis=1) if whole else padded
    return base64.b64encode(np.minimum(255, -(-peaks * 255 // _LOUDEST)).astype(np.uint8).tobytes()).decode()


def _audio(record: TalkRecord) -> str | None:
    """Both sides as one file, the user left, the assistant right."""
    if not record.said.size and not record.heard.size:
        return None
    return "data:audio/webm;base64," + base64.b64encode(webm_from_sides(record.said, record.heard)).decode()


def merged_figures(records: Iterable[TalkRecord]) -> Mapping[str, dict[str, float]]:
    """Percentiles over all measurements of all these talks."""
    values: dict[str, list[float]] = {}
    for record in records:
        for name, measured in record.figures.items():
            values.setdefault(name, []).extend(measured)
    return {name: percentiles(measured) for name, measured in values.items() if measured}
