"""Memory by voice, over real WebRTC: told in one talk, recalled in the next, deleted in two steps, with words heard."""

from __future__ import annotations

import pytest

from tests.scenario.holding import Hold
from tests.scenario.test_exercise_talks import SLOW, passed, say

pytestmark = pytest.mark.timeout(120)


@pytest.mark.row("G2", "G3", "G4", "G6", "G7", "J3")
def test_what_was_told_in_one_talk_is_recalled_in_the_next_and_deleted_when_it_is_confirmed(hold: Hold) -> None:
    recall, delete = "recall_saved_memory", "prepare_memory_deletion_by_index"
    passed(
        hold(f"""
memory: persistent
user: ada
{SLOW}
steps:
  - say: "I have a sister called Anna."
  - expect:
      user: "I have a sister called Anna."
      assistant: {{contains: "How are things between you"}}
      turn: {{outcome: completed, recorded: true}}
{say("Please keep your answers short.", "I will keep to that", tool="save_response_preference", output="saved: true")}
  - hang_up
  - restart
  - connect
{say("What do you know about my sister?", "switched off", tool=recall, output="refused: true")}
{say("You may bring up what you know.", "I may bring up", tool="set_proactive_memory_recall")}
{say("What do you know about my sister?", "I have a sister called Anna", tool=recall, output="result_count: 2")}
{say("Please delete the first fact.", "Shall I delete this fact", tool=delete, output="pending: true")}
{say("Yes, please delete it.", "It is deleted", tool="confirm_memory_deletion")}
{say("What have you saved about me?", "1 rule. 1: Please keep your answers short", tool="show_saved_memory")}
expect: {{finalized: true, problems: []}}
""")
    )
