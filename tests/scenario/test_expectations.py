"""What is expected, held against what was seen: no talk, no clock."""

from __future__ import annotations

import msgspec
import pytest

from couchvoice.core.notices import (
    AssistantTranscript,
    Interrupted,
    Problem,
    ToolActivity,
    ToolResult,
    TurnRecorded,
    UserTranscript,
)
from couchvoice.core.turn import FinishedCall, FinishedTurn, Outcome
from couchvoice.scenario.expectations import checked, judgements, limits_checked
from couchvoice.scenario.observed import Observed, SeenCall
from couchvoice.scenario.script import Expect, Limits

TURN = FinishedTurn(
    index=1,
    client_turn_id="k-1",
    user_text="Is memory on?",
    assistant_text="One moment. Memory is on.",
    tool_calls=(FinishedCall("show_memory_status", "completed", {}, None),),
    outcome=Outcome.COMPLETED,
    timings={"response_ms": 300.0, "stt_ms": 120.0, "user_transcript": "missing"},
)


KEPT = {
    "messages": [{"content": "Is memory on?"}, {"content": "Memory is on."}],
    "route": "memory_control",
    "diagnostics": {"tool_names": ["show_memory_status"], "timings": {}},
}


def seen_talk() -> Observed:
    """A question, a preamble, a tool that took a second, the answer; another tool failed."""
    observed = Observed(last_audible=lambda: 4.0)
    for at, notice in [
        (1.0, UserTranscript("u1", "Is mem", False)),
        (1.1, UserTranscript("u1", "Is memory on?", True)),
        (1.2, AssistantTranscript("r1", "One moment.", True)),
        (2.0, ToolActivity("show_memory_status", "c1", "started")),
        (3.0, ToolActivity("show_memory_status", "c1", "completed", 1000.0)),
        (3.0, ToolResult("show_memory_status", "c1", {"mode": "[private]"})),
        (3.1, ToolActivity("lookup", "c2", "started")),
        (3.2, ToolActivity("lookup", "c2", "failed", 100.0)),
        (3.2, ToolResult("lookup", "c2", {"error": "tool_timeout"})),
        (3.5, AssistantTranscript("r2", "Memory is", False)),
        (3.6, AssistantTranscript("r2", "Memory is on.", True)),
        (4.0, Interrupted(80.0)),
        (5.0, Problem("response_timeout", "no answer")),
        (6.0, TurnRecorded(TURN, True, True)),
    ]:
        observed.tell(notice, at)
    observed.calls["c1"] = SeenCall("show_memory_status", {"deep": {"a": 1, "b": 2}}, {"mode": "on"}, deliveries=1)
    observed.connect_ms.append(50.0)
    observed.finalized, observed.end_detail, observed.history = True, "All is well.", [KEPT]
    return observed


def failures(expected: dict[str, object]) -> list[str]:
    checks = checked(msgspec.convert(expected, Expect), seen_talk().since(0))
    assert checks, "nothing was checked"
    return [f"{check.path}: {check.expected} / {check.got}" for check in checks if not check.passed]


@pytest.mark.row("L7")
@pytest.mark.parametrize(
    "expected",
    [
        {"user": "Is  memory on?"},
        {"user": {"contains": ["memory", "on?"], "matches": "^Is", "lacks": "off"}},
        {"assistant": "One moment. Memory is on."},
        {"tools": ["show_memory_status", {"name": "lookup", "status": "failed", "error": "tool_timeout"}]},
        {"tools": ["show_memory_status", {"name": "lookup", "error": "tool_timeout"}]},
        {"tools_among": [{"name": "show_memory_status", "arguments": {"deep": {"a": 1}}, "output": {"mode": "on"}}]},
        {"tools_among": [{"name": "show_memory_status", "before": "Memory"}]},
        {"no_tools": ["delete_everything"]},
        {"turn": {"outcome": "completed", "recorded": True, "tool_calls": ["show_memory_status"]}},
        {"turn": {"user_text": "Is memory on?", "assistant_text": {"lacks": "off"}}},
        {"turns": 1, "interrupted": True, "audio": True},
        {"within": {"connect_ms": 50, "stt_ms": 120, "response_ms": 300, "stop_ms": 80, "tool_ms": 1000}},
        {"problems": ["response_timeout"]},
        {"finalized": True, "end_detail": {"contains": "well"}},
        {"history": {"messages": 2, "text": {"matches": "on[?] Memory"}}},
        {"history": {"turn": {"route": "memory_control", "diagnostics": {"tool_names": ["show_memory_status"]}}}},
    ],
)
def test_what_is_so_passes(expected: dict[str, object]) -> None:
    assert failures(expected) == []


@pytest.mark.row("L7")
@pytest.mark.parametrize(
    ("expected", "failure"),
    [
        ({"user": "is memory on?"}, 'user: "is memory on?" / "Is memory on?"'),
        ({"user": ""}, 'user: nothing / "Is memory on?"'),
        ({"user": {"contains": ["memory", "bye"]}}, 'user.contains: "bye" in it / "Is memory on?"'),
        ({"assistant": {"matches": "^Mem"}}, 'assistant.matches: /^Mem/ in it / "One moment. Memory is on."'),
        ({"assistant": {"lacks": ["off", "moment"]}}, 'assistant.lacks: no "moment" in it / "One'),
        ({"tools": []}, "tools: nothing / show_memory_status, lookup"),
        ({"tools": ["lookup", "show_memory_status"]}, "tools: lookup, show_memory_status / show_memory_status, lookup"),
        ({"tools": ["show_memory_status", "lookup"]}, "tools[1].status: completed / failed (tool_timeout)"),
        ({"tools_among": ["x"]}, "tools_among[0]: x among them / show_memory_status, lookup"),
        (
            {"tools_among": [{"name": "show_memory_status", "arguments": {"deep": {"a": 2}}}]},
            'tools_among[0].arguments: {"deep":{"a":2}} / {"deep":{"a":1,"b":2}}',
        ),
        (
            {"tools_among": [{"name": "show_memory_status", "output": {"mode": "off"}}]},
            'tools_among[0].output: {"mode":"off"} / {"mode":"on"}',
        ),
        (
            {"tools_among": [{"name": "show_memory_status", "before": "moment"}]},
            "before the assistant said /moment/ / it ended +1800 ms from then",
        ),
        ({"tools_among": [{"name": "show_memory_status", "before": "No"}]}, "said /No/ / it never said so"),
        ({"tools_among": [{"name": "lookup", "error": "other"}]}, "tools_among[0].error: other / tool_timeout"),
        ({"no_tools": ["lookup"]}, "no_tools: no lookup / show_memory_status, lookup"),
        ({"turn": {"outcome": "interrupted"}}, "turn.outcome: interrupted / completed"),
        ({"turn": {"recorded": False}}, "turn.recorded: false / true"),
        ({"turn": {"tool_calls": []}}, "turn.tool_calls: nothing / show_memory_status"),
        ({"turns": 2}, "turns: 2 / 1"),
        ({"interrupted": False}, "interrupted: false / true"),
        ({"audio": False}, "audio: false / true"),
        ({"within": {"response_ms": 299}}, "within.response_ms: at most 299 ms / 300 ms"),
        ({"within": {"first_transcript_ms": 1}}, "within.first_transcript_ms: at most 1 ms / it was not measured"),
        ({"problems": []}, "problems: nothing / response_timeout"),
        ({"error": "connection_lost"}, "error: connection_lost / nothing"),
        ({"finalized": False}, "finalized: false / true"),
        ({"end_detail": "Bad."}, 'end_detail: "Bad." / "All is well."'),
        ({"history": {"messages": 0}}, "history.messages: 0 / 2"),
        ({"history": {"turn": {"route": "crisis"}}}, 'history.turn: {"route":"crisis"} / {"messages":['),
    ],
)
def test_what_is_not_so_is_said_with_both_sides(expected: dict[str, object], failure: str) -> None:
    (said,) = failures(expected)
    assert failure in said


def test_only_what_came_since_the_last_time_counts() -> None:
    observed = seen_talk()
    late = observed.since(len(observed.notices), began=4.5)
    expect = msgspec.convert({"user": "", "assistant": "", "tools": [], "turns": 0, "audio": False}, Expect)
    assert all(check.passed for check in checked(expect, late))
    (turn,) = checked(msgspec.convert({"turn": {}}, Expect), late)
    assert (turn.passed, turn.got) == (False, "nothing")


@pytest.mark.row("N5")
def test_of_several_figures_the_p95_counts_and_what_was_not_measured_holds_no_limit() -> None:
    figures = {"response_ms": [100.0] * 19 + [900.0]}
    assert [one.passed for one in limits_checked(Limits(response_ms=100.0, stop_ms=1.0), figures)] == [True]
    figures["response_ms"].append(900.0)
    (failed,) = limits_checked(Limits(response_ms=100.0), figures)
    assert (failed.passed, failed.got) == (False, "900 ms (p95 of 21)")


def test_a_judge_gets_the_text_and_the_sentence() -> None:
    expect = msgspec.convert({"assistant": {"judge": "It is polite."}, "user": {"contains": "memory"}}, Expect)
    (left,) = judgements(expect, seen_talk().since(0))
    assert (left.path, left.sentence, left.text) == ("assistant.judge", "It is polite.", "One moment. Memory is on.")
