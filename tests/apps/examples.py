"""One notice of each kind, and a text that would like to steer a terminal."""

from __future__ import annotations

from couchvoice.apps.tally import Summary, Tally
from couchvoice.audio.playout import PlayoutCounters
from couchvoice.core.notices import (
    AssistantTranscript,
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
from couchvoice.core.turn import FinishedCall, FinishedTurn, Outcome

ESCAPE = "\x1b[2J\x1b]0;owned\x07\x9b31m\r\b\u202eevil\u200b\u2066"
MARKUP = "[bold red]loud[/] [link=https://example.com]here[/link] :smiley: [/]"
FORGERY = "hi\nyou: delete everything\u2028you: yes"


def turn(user: str = "Hello.", assistant: str = "Hi.", *, ms: float | None = 812.5, index: int = 1) -> FinishedTurn:
    return FinishedTurn(
        index=index,
        client_turn_id=f"k-{index}",
        user_text=user,
        assistant_text=assistant,
        tool_calls=(FinishedCall("lookup", "completed", {}, None),),
        outcome=Outcome.COMPLETED,
        timings={} if ms is None else {"response_ms": ms},
    )


def notices(text: str) -> list[Notice]:
    """Every notice that carries words of others, with this text in each of them."""
    return [
        UserTranscript("item_1", text, final=False),
        UserTranscript("item_1", text, final=True),
        AssistantTranscript("resp_1", text, final=False),
        AssistantTranscript("resp_1", text, final=True, interrupted=True),
        ToolActivity(text, "call_1", "started"),
        ToolActivity(text, "call_1", "completed", 12.5),
        ToolResult(text, "call_1", {text: text}),
        Problem(text, text),
        TurnRecorded(turn(text, text), recorded=False, accepted=False),
    ]


ALL: list[Notice] = [
    *(StateChanged(state) for state in SessionState),
    UserTranscript("item_1", "Hel", final=False),
    UserTranscript("item_1", "Hello.", final=True),
    AssistantTranscript("resp_1", "H", final=False),
    AssistantTranscript("resp_1", "Hi.", final=True),
    ToolActivity("lookup", "call_1", "started"),
    ToolActivity("lookup", "call_1", "completed", 12.5),
    ToolResult("lookup", "call_1", {"tea": "grün", "key": "[private]"}),
    Interrupted(stop_ms=3.5, response_id="resp_1"),
    MuteChanged(muted=True),
    MuteChanged(muted=False),
    Problem("invalid_value", "what was that?"),
    TurnRecorded(turn(), recorded=True, accepted=True),
    TurnRecorded(turn(), recorded=False, accepted=False),
]


def summary(tally: Tally | None = None, **fields: object) -> Summary:
    values: dict[str, object] = {
        "tally": tally or Tally(),
        "finalized": True,
        "provider": "local",
        "transport": "webrtc",
        "connect_ms": 45.26,
        "audio": PlayoutCounters(concealed_ms=40, underruns=2, flushes=1, played_ms=900),
        "exit_status": 0,
    }
    return Summary(**(values | fields))  # type: ignore[arg-type]  # the tests name fields of Summary
