"""Tool calls that go wrong because the script wants it so, in whole talks."""

from __future__ import annotations

import pytest

from tests.scenario.holding import STOP, Hold

ASK = "type: Is memory on?"


@pytest.mark.row("P11")
def test_a_slow_tool_is_awaited(hold: Hold) -> None:
    held = hold(f"""
faults: {{show_memory_status: {{fault: slow, ms: 4000}}}}
steps:
  - {ASK}
  - expect: {{tools: [show_memory_status], assistant: {{contains: This talk is incognito}}}}
""")
    assert held.outcome.error is None
    assert held.outcome.figures["tool_ms"] == [pytest.approx(4000, abs=50)]


@pytest.mark.row("P11")
@pytest.mark.parametrize("status", [500, 503, 422])
def test_a_tool_that_fails_is_explained_and_the_talk_goes_on(hold: Hold, status: int) -> None:
    held = hold(f"""
faults: {{show_memory_status: {{fault: error, status: {status}, times: 1}}}}
steps:
  - {ASK}
  - expect:
      tools: [{{name: show_memory_status, status: failed}}]
      assistant: {{contains: I could not find out whether memory is on}}
      turn: {{outcome: completed, tool_calls: [show_memory_status]}}
  - {ASK}
  - expect: {{tools: [show_memory_status]}}
""")
    assert held.outcome.error is None


@pytest.mark.row("P11")
def test_a_tool_that_hangs_is_given_up_after_its_time(hold: Hold) -> None:
    held = hold(f"""
faults: {{show_memory_status: hang}}
steps:
  - {ASK}
  - expect:
      tools: [{{name: show_memory_status, error: tool_timeout}}]
      assistant: {{contains: I could not find out}}
  - faults: {{show_memory_status: null}}
  - {ASK}
  - expect: {{tools: [show_memory_status]}}
""")
    assert held.outcome.error is None
    assert held.outcome.figures["tool_ms"][0] == pytest.approx(15_000, abs=100)


@pytest.mark.row("P11")
def test_a_request_that_arrives_twice_is_one_call(hold: Hold) -> None:
    held = hold(f"""
memory: persistent
faults: {{show_memory_status: duplicate, turn: duplicate}}
steps:
  - {ASK}
  - expect: {{tools: [show_memory_status], turns: 1, history: {{messages: 2}}}}
""")
    assert held.outcome.error is None


@pytest.mark.row("P11")
def test_a_result_that_comes_after_an_interruption_does_not_speak_into_the_new_answer(hold: Hold) -> None:
    held = hold(f"""
faults: {{show_memory_status: {{fault: late, times: 1}}}}
slo: {{}}
steps:
  - say: Is memory on for this conversation?
  - wait: tool
  - {STOP}
  - expect:
      tools: [show_memory_status]
      assistant: {{contains: Of course. I am listening.}}
      user: {{contains: that is enough}}
""")
    assert held.outcome.error is None
    assert held.outcome.figures["tool_ms"][0] > 3000


@pytest.mark.row("P11")
@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("session", "{error: voice_realtime_session_failed}"),
        ("end", "{problems: [voice_realtime_end_failed]}"),
    ],
)
def test_the_other_calls_of_the_backend_can_fail_too(hold: Hold, target: str, expected: str) -> None:
    held = hold(f"faults: {{{target}: error}}\nsteps: [connect, hang_up, {{expect: {expected}}}]")
    assert held.outcome.error is None
