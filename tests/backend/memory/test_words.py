"""How texts are compared."""

from __future__ import annotations

import pytest

from couchvoice.backend.memory.words import key_words, normal, say_the_same


def test_case_accents_and_punctuation_make_no_difference() -> None:
    assert normal("  I don\u2019t LIKE Zürich\u2019s   cafés! ") == "i dont like zurichs cafes"
    assert key_words("What do I like about the café?") == ["cafe"]
    assert key_words("Who are you?") == ["who", "are", "you"]
    assert key_words("?!") == []


@pytest.mark.parametrize("apostrophe", [*"'\u2019\u2018\u201b\u02bc\u02b9\u2032\u00b4\uff07`"])
def test_every_writing_of_an_apostrophe_is_the_same(apostrophe: str) -> None:
    assert normal(f"Don{apostrophe}t be so wordy") == "dont be so wordy"


@pytest.mark.parametrize("unseen", ["\u00ad", "\u200b", "\u2060", "\ufeff"])
def test_what_nobody_sees_makes_no_difference(unseen: str) -> None:
    assert normal(f"keep it soft{unseen}ly") == "keep it softly"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("I have a dog called Rex.", "i have a dog called rex"),
        ("I have a dog called Rex.", "I've got a dog, called Rex!"),
        ("Keep your answers short.", "Please keep your answers short."),
        ("I play the piano and the old violin on Sunday evenings", "I play piano and old violin Sunday evenings"),
    ],
)
def test_what_says_the_same(one: str, other: str) -> None:
    assert say_the_same(one, other)
    assert say_the_same(other, one)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("I like my job.", "I don't like my job."),
        ("I have 2 cats called Tim and Tom.", "I have 3 cats called Tim and Tom."),
        ("I have a dog called Rex.", "I have a dog called Max."),
        ("I live in Galway.", "I live in Lisbon."),
        ("My sister lives in Galway.", "My brother lives in Galway."),
        ("", "I live in Galway."),
    ],
)
def test_what_is_another_statement(one: str, other: str) -> None:
    assert not say_the_same(one, other)
