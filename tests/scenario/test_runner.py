"""Scripted conversations, held over real WebRTC with both ends in this process, on the media clock."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from couchvoice.scenario.runner import Held
from couchvoice.scenario.talk_record import Step, Words
from tests.scenario.holding import GREETING, STOP, STORY, Hold

FIXTURES = Path(__file__).parent.parent.parent / "fixtures"


def checks(held: Held) -> dict[str, bool]:
    return {check.what: check.passed for check in held.outcome.checks}


@pytest.mark.row("L7")
def test_a_conversation_is_held_and_everything_expected_of_it_is_found(hold: Hold) -> None:
    held = hold(f"""
memory: persistent
steps:
  - {GREETING}
  - expect:
      user: Hello, can you hear me?
      assistant: {{contains: hear you well, matches: "today[?]$", lacks: goodbye}}
      tools: []
      audio: true
      interrupted: false
      turn: {{outcome: completed, recorded: true, assistant_text: {{contains: hear}}, tool_calls: []}}
      within: {{response_ms: 1500, stt_ms: 1500, first_transcript_ms: 5000}}
  - type: Is memory on?
  - expect:
      tools: [{{name: show_memory_status, arguments: {{}}, output: {{memory_mode: persistent}}, before: Memory is on}}]
      tools_among: [show_memory_status]
      no_tools: [lookup_crisis_resources]
expect:
  finalized: true
  history: {{messages: 4, text: {{contains: Memory is on}}, turn: {{route: memory_control}}}}
  turns: 2
  problems: []
""")
    assert held.outcome.error is None
    assert held.outcome.passed
    assert set(checks(held)) == {
        *["user", "assistant.contains", "assistant.matches", "assistant.lacks", "tools", "audio", "interrupted"],
        *[
            "turn.outcome",
            "turn.recorded",
            "turn.assistant_text.contains",
            "turn.tool_calls",
            "within.response_ms",
            "within.stt_ms",
        ],
        "within.first_transcript_ms",
        *["tools[0].arguments", "tools[0].output", "tools[0].status", "tools[0].before", "tools_among[0]"],
        *[
            "tools_among[0].status",
            "no_tools",
            "finalized",
            "history.messages",
            "history.text.contains",
            "history.turn",
            "turns",
        ],
        *["problems", "connect_ms", "response_ms"],
    }
    assert held.outcome.turns == 2
    assert held.outcome.clock == "media"
    assert held.record.of(Step)[0].what == "say Hello, can you hear me?"
    assert [words.who for words in held.record.of(Words)][:2] == ["user", "assistant"]
    assert held.record.heard.size > 0


@pytest.mark.row("L7")
def test_what_is_not_as_expected_ends_the_scenario_and_is_told_with_its_place(hold: Hold) -> None:
    held = hold(f"""
steps:
  - {GREETING}
  - expect:
      user: Hello, can you hear me?
      assistant:
        contains: goodbye
  - type: This is not said any more.
""")
    assert held.outcome.outcome == "failed"
    sentence = 'talk.yaml:7:19: assistant.contains: expected "goodbye" in it, got "Yes, I can hear you well.'
    assert (held.outcome.error or "").startswith(sentence)
    assert [check.what for check in held.outcome.failed_checks] == ["assistant.contains"]
    assert not any("not said any more" in step.what for step in held.record.of(Step))


def test_what_a_wav_says_is_known_by_its_text(hold: Hold, tmp_path: Path) -> None:
    for name in ("two-tools.wav", "two-tools.txt"):
        shutil.copy(FIXTURES / name, tmp_path)
    held = hold("""
steps:
  - say: two-tools.wav
  - expect:
      user: Is memory on, and is there a local hotline?
      tools_among: [lookup_crisis_resources, show_memory_status]
""")
    assert held.outcome.error is None


@pytest.mark.row("L7")
def test_the_user_breaks_in_on_an_answer(hold: Hold) -> None:
    held = hold(f"""
steps:
  - {STORY}
  - interrupt: {{after_ms: 1500, {STOP}}}
  - expect: {{interrupted: true, within: {{stop_ms: 300}}, user: {{contains: that is enough}}}}
  - {STORY}
  - interrupt: {{after_ms: 500}}
  - expect: {{turn: {{outcome: interrupted}}}}
""")
    assert held.outcome.error is None
    assert held.outcome.figures["stop_ms"][0] <= 300


def test_an_answer_that_is_over_cannot_be_interrupted(hold: Hold) -> None:
    held = hold(f"steps:\n  - {GREETING}\n  - interrupt: {{after_ms: 20000}}")
    assert held.outcome.error == "talk.yaml:3:5: the answer was over within 20000 ms: nothing to interrupt"


def test_a_muted_user_is_not_heard_and_an_unmuted_one_is_in_the_same_talk(hold: Hold) -> None:
    held = hold(f"""
steps:
  - mute
  - {GREETING}
  - expect: {{user: "", assistant: "", turns: 0, audio: false}}
  - unmute
  - {GREETING}
  - expect: {{user: "Hello, can you hear me?", audio: true}}
expect: {{turns: 1}}
""")
    assert held.outcome.error is None
    assert len(held.outcome.figures["connect_ms"]) == 1


def test_a_thread_goes_on_in_another_talk_and_when_its_backend_was_restarted(hold: Hold) -> None:
    held = hold("""
memory: persistent
steps:
  - type: I had an argument with my brother.
  - hang_up
  - expect: {finalized: true, history: {messages: 2}}
  - restart
  - connect
  - type: What did we talk about last time?
  - expect: {assistant: {contains: I had an argument with my brother.}, history: {messages: 4}}
""")
    assert held.outcome.error is None
    assert len(held.outcome.figures["connect_ms"]) == 2


def test_a_talk_that_cannot_begin_fails_unless_it_is_expected(hold: Hold) -> None:
    refused = "provider_faults: [{status: 500}]\nsteps:\n"
    held = hold(refused + "  - connect\n  - expect: {error: sdp_exchange_failed}")
    assert held.outcome.error is None
    held = hold(refused + f"  - {GREETING}")
    assert "talk.yaml:3:5: the SDP exchange failed" in (held.outcome.error or "")
    held = hold(refused + "  - connect")
    assert "the SDP exchange failed" in (held.outcome.error or "")


def test_a_talk_that_breaks_off_fails_unless_it_is_expected(hold: Hold) -> None:
    cut = "provider_faults: [{cut_after_ms: 3000}]\nsteps:\n  - connect\n  - wait: 40000\n"
    assert hold(cut + "  - expect: {error: connection_lost}").outcome.error is None
    assert "the connection to the provider was lost" in (hold(cut).outcome.error or "")


@pytest.mark.row("L7")
def test_a_scenario_that_never_ends_meets_its_deadline(hold: Hold) -> None:
    held = hold("deadline: 4\nsteps:\n  - connect\n  - wait: 400000")
    assert held.outcome.error == "talk.yaml:4:5: the scenario did not end within 4 s (deadline)"
    assert held.outcome.outcome == "failed"
    assert held.outcome.seconds < 6


def test_who_waits_in_vain_is_told_for_what(hold: Hold) -> None:
    held = hold(f"steps:\n  - {GREETING}\n  - wait: {{until: tool, within: 3}}")
    assert held.outcome.error == "talk.yaml:3:5: no tool within 3 s"


@pytest.mark.row("N5")
def test_a_conversation_that_is_slower_than_agreed_fails_on_its_p95(hold: Hold) -> None:
    held = hold(f"slo: {{response_ms: 0}}\nsteps:\n  - {GREETING}\n  - expect: {{assistant: {{contains: hear}}}}")
    assert "talk.yaml:1:20: slower than agreed: response_ms: expected at most 0 ms, got" in (held.outcome.error or "")
    assert checks(held)["response_ms"] is False


@pytest.mark.row("N5")
def test_on_the_local_server_connecting_and_answers_take_at_most_1500_ms_unless_told_otherwise(hold: Hold) -> None:
    late = "provider_faults: [{answer_delay_ms: 1600}]\nsteps: [connect]\n"
    assert "connect_ms: expected at most 1500 ms, got " in (hold(late).outcome.error or "")
    assert hold(late + "slo: {connect_ms: 60000}").outcome.error is None
    assert hold(late + "slo: {}").outcome.error is None


def test_network_weather_is_between_the_peers_and_may_change(hold: Hold) -> None:
    held = hold(f"""
weather: {{name: delay, seed: 3}}
slo: {{}}
steps:
  - {GREETING}
  - expect: {{user: "Hello, can you hear me?"}}
  - weather: loss
  - weather: {{loss: 1.0, direction: down}}
  - {GREETING}
  - expect: {{assistant: "", user: "", patience: 3}}
""")
    assert held.outcome.error is None
    assert held.outcome.figures["connect_ms"][0] > 300  # ms, several ways of 150 each
