"""How a failed comparison of what a conversation came to is told."""

from __future__ import annotations

import operator

import pytest

from couchvoice.scenario.measured import Milliseconds, ToolNames, Words, explained

pytestmark = pytest.mark.row("P8")

SAID = Words("Memory is off for this talk.", "the assistant")
TOOLS = ToolNames(["show_memory_status", "wait_for_user"])
STOP = Milliseconds(312.4, "the interruption")


def told(operator: str, left: object, right: object) -> str:
    return "\n".join(explained(operator, left, right) or [])


def test_they_compare_like_what_they_are() -> None:
    assert SAID == "Memory is off for this talk."
    assert "off" in SAID
    assert TOOLS == ["show_memory_status", "wait_for_user"]
    assert operator.lt(STOP, 313)
    assert isinstance(f"{SAID}", str)


def test_other_words_are_shown_word_by_word() -> None:
    expected = "Memory is on for this talk, I think."
    for lines in (told("==", SAID, expected), told("==", expected, SAID)):
        assert lines.splitlines() == [
            "the assistant said something else",
            "    expected: 'Memory is on for this talk, I think.'",
            "    said:     'Memory is off for this talk.'",
            "    [-missing-] {+added+}: Memory is [-on-] {+off+} for this [-talk, I think.-] {+talk.+}",
        ]


def test_words_that_are_missing_or_too_many_are_named_with_what_was_said() -> None:
    assert told("in", "hotline", SAID) == (
        "the assistant did not say 'hotline'\n    said: 'Memory is off for this talk.'"
    )
    assert told("not in", "off", SAID).startswith("the assistant said 'off'")


def test_other_tools_are_shown_one_below_the_other() -> None:
    for lines in (told("==", TOOLS, ["lookup"]), told("==", ["lookup"], TOOLS)):
        assert lines.splitlines() == [
            "other tools were called",
            "       expected  called",
            "    !  lookup    show_memory_status",
            "    !  -         wait_for_user",
        ]
    assert "       show_memory_status  show_memory_status" in told("==", TOOLS, ["show_memory_status"])


def test_milliseconds_say_by_how_much() -> None:
    assert told("<", STOP, 200) == "the interruption took 312 ms: 112 ms more than 200 ms"
    assert told(">=", STOP, 400.5) == "the interruption took 312 ms: 88 ms less than 400.5 ms"


def test_all_else_is_left_to_others() -> None:
    assert explained("==", "a", "b") is None
    assert explained("!=", SAID, SAID) is None
