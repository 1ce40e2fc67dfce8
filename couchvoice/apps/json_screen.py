"""``--json``: one JSON object per line on stdout, in the shape that other programs rely on.

Law: the lines and their fields are a contract (README, "JSON lines"); everything else goes to stderr.
"""

from __future__ import annotations

import json
import sys
from typing import Any

from couchvoice.apps.screen import clean
from couchvoice.apps.tally import Summary
from couchvoice.core.notices import (
    AssistantTranscript,
    DeviceChanged,
    Interrupted,
    MuteChanged,
    Notice,
    Problem,
    StateChanged,
    ToolActivity,
    ToolResult,
    TurnRecorded,
    UsageChanged,
    UserTranscript,
)
from couchvoice.errors import CouchvoiceError


class JsonScreen:
    def show(self, notice: Notice) -> None:
        if (line := _line(notice)) is not None:
            _print(line)

    def show_hint(self, text: str) -> None:
        print(clean(text), file=sys.stderr, flush=True)

    def show_error(self, error: CouchvoiceError) -> None:
        _print({"type": "error", "code": error.code, "message": str(error)})

    def show_summary(self, summary: Summary) -> None:
        _print(summary.as_line())


def _line(notice: Notice) -> dict[str, Any] | None:
    match notice:
        case StateChanged(state):
            return {"type": "state", "state": state.value}
        case UserTranscript(item_id, text, final):
            return {"type": "user_transcript", "item_id": item_id, "text": text, "final": final}
        case AssistantTranscript(response_id, text, final):
            return {"type": "assistant_transcript", "response_id": response_id, "text": text, "final": final}
        case ToolActivity(name, call_id, status, ms):
            return {"type": "tool", "name": name, "call_id": call_id, "status": status, "ms": ms}
        case ToolResult(name, call_id, output):
            return {"type": "tool_result", "name": name, "call_id": call_id, "output": output}
        case Interrupted(stop_ms):
            return {"type": "interrupted", "stop_ms": stop_ms}
        case Problem(code, message):
            return {"type": "error", "code": code, "message": message}
        case TurnRecorded(turn, recorded):
            return {
                "type": "turn",
                "index": turn.index,
                "user_text": turn.user_text,
                "assistant_text": turn.assistant_text,
                "heard_text": None,
                "outcome": turn.outcome.value,
                "recorded": recorded,
                "tool_calls": [call.name for call in turn.tool_calls],
            }
        case MuteChanged(muted):
            return {"type": "mute", "muted": muted}
        case DeviceChanged(kind, status, name):
            return {"type": "device", "kind": kind, "status": status, "name": name}
        case UsageChanged():
            return None  # the sum stands in the summary


def _print(line: dict[str, Any]) -> None:
    # ASCII only: a lone surrogate from the network cannot be written otherwise.
    print(json.dumps(line), flush=True)
