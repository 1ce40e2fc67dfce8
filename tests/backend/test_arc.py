"""The arc by rules."""

from __future__ import annotations

from couchvoice.backend.arc import MAX_SENTENCE, episodic_arc
from couchvoice.backend.store import Turn
from tests.backend.ends import any_turn


def turn(user_text: str) -> Turn:
    return any_turn(user_text=user_text, assistant_text="I see.")


def test_an_arc_goes_from_the_first_words_to_the_last() -> None:
    arc = episodic_arc(
        [
            turn("I feel sad and lonely since the breakup. I can't sleep."),
            turn("I\u2019ll write to my friend tomorrow. What else?"),
            turn("The breathing, that helped. I feel better."),
        ]
    )
    assert arc.summary == (
        "A talk of 3 turns. It began with “I feel sad and lonely since the breakup.” "
        "and ended with “The breathing, that helped.”"
    )
    assert arc.primary_themes == ["relationships", "sleep"]
    assert (arc.mood_opened, arc.mood_closed) == ("low", "calm")
    assert arc.open_loops == ["I\u2019ll write to my friend tomorrow."]
    assert arc.resolved_threads == ["The breathing, that helped.", "I feel better."]
    assert arc.turn_count == 3


def test_a_talk_in_which_nothing_was_understood_has_an_arc_too() -> None:
    arc = episodic_arc([turn("")])
    assert "no words of the user" in arc.summary
    assert (arc.mood_opened, arc.mood_closed) == ("neutral", "neutral")


def test_words_without_a_sentence_are_no_error() -> None:
    assert episodic_arc([turn("...?!")]).turn_count == 1


def test_what_is_repeated_is_short() -> None:
    arc = episodic_arc([turn("I will " + "walk " * 100)])
    assert all(len(sentence) <= MAX_SENTENCE for sentence in arc.open_loops)
