"""Guided exercises held by voice, over real WebRTC: spoken, recognized, and answered with the step that is on."""

from __future__ import annotations

import pytest

from couchvoice.backend.exercises import shipped_catalogue
from couchvoice.scenario.runner import Held
from tests.scenario.holding import Hold

pytestmark = pytest.mark.timeout(120)

STEPS = {exercise.id: exercise.steps for exercise in shipped_catalogue().exercises}
CLOSING = {exercise.id: exercise.closing for exercise in shipped_catalogue().exercises}
SLOW = "slo: {connect_ms: 20000, response_ms: 20000}"  # what is said counts here, not how soon
PROGRESS = "record_guided_exercise_progress"


def say(words: str, expected: str, *, tool: str = PROGRESS, output: str = "") -> str:
    """A step that says this, and one that expects the answer to hold that."""
    told = f", output: {{{output}}}" if output else ""
    return f"""
  - say: "{words}"
  - expect:
      user: "{words}"
      assistant: {{contains: "{expected}"}}
      tools_among: [{{name: {tool}{told}}}]
      turn: {{outcome: completed}}"""


def passed(held: Held) -> None:
    assert held.outcome.error is None, held.outcome.error
    assert held.outcome.passed


@pytest.mark.row("H10", "H11")
def test_a_breathing_exercise_is_gone_through_by_voice_and_resumes_after_a_restart(hold: Hold) -> None:
    steps = STEPS["grounding_box_breathing"]
    load = "load_guided_exercise_skill"
    passed(
        hold(f"""
memory: persistent
user: ada
{SLOW}
steps:{say("Let us do a breathing exercise.", steps[0].instruction, tool=load)}
{say("I am ready now.", steps[1].instruction, output="step_id: first_box")}
  - hang_up
  - restart
  - connect
{say("Let us go on with the exercise.", steps[1].instruction, tool=load, output="step_index: 1")}
{say("I have done that once.", steps[2].instruction, output="step_id: three_boxes")}
{say("I have finished it.", steps[3].instruction)}
{say("I am back again.", CLOSING["grounding_box_breathing"], output="phase: completed")}
""")
    )


@pytest.mark.row("H10")
def test_who_is_stuck_or_wants_out_is_heard_by_voice(hold: Hold) -> None:
    first = STEPS["defusion_values_compass"][0]
    passed(
        hold(f"""
{SLOW}
steps:{say("I want to think about my values.", first.instruction, tool="load_guided_exercise_skill")}
{say("I cannot do this.", first.easier, output="runtime_action: repair, step_id: area")}
{say("I want to stop the exercise.", "that is fine", output="runtime_action: exit")}
expect: {{finalized: false, problems: []}}
""")
    )


@pytest.mark.row("J8")
def test_the_assistant_asks_how_the_talk_was_where_that_is_wanted(hold: Hold) -> None:
    answer = "It did me good, goodbye."
    passed(
        hold(f"""
{SLOW}
memory: persistent
session: {{ask_feedback: true}}
steps:
  - say: "Thank you very much, goodbye."
  - expect: {{assistant: {{contains: "did this talk do you good"}}, tools: []}}
{say(answer, "Goodbye, and take care", tool="give_session_feedback", output="feedback: positive")}
""")
    )
