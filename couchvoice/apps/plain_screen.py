"""``--plain``: the talk as lines of text, for a pipe, a log or a screen reader.

Law: a line is printed once it is final; nothing moves, blinks or has a colour.
"""

from __future__ import annotations

import sys

from couchvoice.apps.device_words import sentence_of_device
from couchvoice.apps.screen import clean, sentence_of_problem, sentence_of_result
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
    UserTranscript,
)
from couchvoice.core.state import SessionState
from couchvoice.errors import CouchvoiceError

_SAID_OF_STATE = {
    SessionState.CONNECTING: "connecting",
    SessionState.LISTENING: "listening",
    SessionState.FINALIZING: "ending the talk",
}


class PlainScreen:
    def __init__(self) -> None:
        self._listened = False

    def show(self, notice: Notice) -> None:
        match notice:
            case StateChanged(state):
                self._show_state(state)
            case UserTranscript(_, text, True):
                _say(f"you: {text}")
            case AssistantTranscript(_, text, True, interrupted):
                _say(f"assistant: {text}{' … (interrupted)' if interrupted else ''}")
            case ToolActivity(name, _, status, ms) if status != "started":
                _say(f"tool: {name} {status} ({ms:.0f} ms)")
            case ToolResult():
                _say(f"result: {sentence_of_result(notice)}")
            case Interrupted():
                _say("interrupted")
            case MuteChanged(muted):
                _say("muted" if muted else "not muted any more")
            case DeviceChanged():
                self.show_hint(sentence_of_device(notice))
            case Problem():
                print(clean(f"problem: {sentence_of_problem(notice)}"), file=sys.stderr, flush=True)
            case TurnRecorded(turn, _, False):
                _say(f"turn {turn.index} was not accepted by the backend")
            case _:
                pass  # drafts, tools that begin, turns that were recorded, what has been used so far

    def show_hint(self, text: str) -> None:
        print(clean(text), file=sys.stderr, flush=True)

    def show_error(self, error: CouchvoiceError) -> None:
        print(f"error: {clean(str(error))}", file=sys.stderr, flush=True)

    def show_summary(self, summary: Summary) -> None:
        _say(sentence_of(summary))

    def _show_state(self, state: SessionState) -> None:
        # The floor changes hands all the time: it is named once, when the talk begins.
        if state is SessionState.LISTENING and self._listened:
            return
        self._listened = self._listened or state is SessionState.LISTENING
        if state in _SAID_OF_STATE:
            _say(_SAID_OF_STATE[state])


def sentence_of(summary: Summary) -> str:
    """The summary for people."""
    line = summary.as_line()
    turns = f"{line['turns']} {'turn' if line['turns'] == 1 else 'turns'}, {line['recorded']} recorded"
    ended = "finalized" if line["finalized"] else "not finalized"
    p50 = line["response_ms"]["p50"]
    answered = f", answers after {p50:.0f} ms (median)" if p50 is not None else ""
    connected = f", connected in {line['connect_ms']:.0f} ms" if line["connect_ms"] is not None else ""
    usage = summary.tally.usage
    used = f", {usage.input_tokens} tokens in, {usage.output_tokens} out" if usage and usage.responses else ""
    return f"{turns}, {ended}{connected}{answered}{used}"


def _say(line: str) -> None:
    print(clean(line), flush=True)
