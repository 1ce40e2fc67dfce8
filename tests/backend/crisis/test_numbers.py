"""No number that was not looked up passes unseen, however it is written; and those that were are left alone."""

from __future__ import annotations

import time
from collections import Counter

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from couchvoice.backend.crisis.numbers import invented
from tests.backend.crisis.written import LOOKED_UP, WAYS, answers, true_answers

KNOWN = frozenset(phone.replace(" ", "") for phone in LOOKED_UP)
ANSWERS = 10_000


@pytest.mark.row("H4")
@pytest.mark.parametrize("seed", [1, 2, 3, 4])
def test_of_10000_crisis_answers_none_with_an_invented_number_passes_unseen(seed: int) -> None:
    unseen = [answer for answer in answers(ANSWERS // 4, seed=seed) if not invented(answer.text, looked_up=KNOWN)]
    assert not unseen, (Counter(answer.way for answer in unseen), unseen[:5])


@pytest.mark.row("H4")
def test_numbers_that_were_looked_up_are_not_flagged_however_they_are_written() -> None:
    flagged = [answer for answer in true_answers(2000, seed=7) if invented(answer.text, looked_up=KNOWN)]
    assert not flagged, (Counter(answer.way for answer in flagged), flagged[:5])


@pytest.mark.row("H4")
def test_without_a_lookup_every_number_is_invented() -> None:
    assert all(invented(answer.text, looked_up=()) for answer in true_answers(500, seed=8))


@pytest.mark.row("H4")
@pytest.mark.parametrize(
    "text",
    [
        "call 999",
        "dial nine one one",
        "1-800-273-8255",
        "call one eight hundred, two seven three, TALK",
        "988-12",
        "988 12",
        "0988",
        "1 800 988",
        "+1 988",
        "(555) 123 4567",
        "five, then five, then five",
        "call ninety one one",
        "call nine hundred eleven",
        "call four hundred",
        "vierhundertfünfzig ist die Nummer",
        "wähle hundertzwölf",
        "quatre-vingt-dix-sept, onze",
        "trois mille cent quinze",
        "compose le dix-sept quinze",
        "llama al uno uno dos",
        "chiama il centododici",
        "bel honderdtwaalf",
        "ligue cento e noventa",
        "5551234 minutes",
        "call 1234 days and nights",
        "1-800-SUICIDE",
        "one sixteen, one twenty four",
        "116 124",
        "116 1234",
        "twenty twenty-four is the number",
        "reach it from 2024 on 555",
    ],
)
def test_what_is_nearly_a_line_or_hides_is_seen(text: str) -> None:
    assert invented(text, looked_up=KNOWN)


@pytest.mark.row("H4")
@pytest.mark.parametrize(
    "text",
    [
        "",
        "I am here. No one else has to know tonight.",
        "Can you give me one or two reasons?",
        "On a scale from 1 to 10, how bad is it?",
        "on a scale of 1-10",
        "It is 10:30 pm, and at 7 you can see a doctor.",
        "You have come far since 2019.",
        "I hear you a hundred percent, and I have a hundred reasons.",
        "Breathe for 20 or 30 seconds.",
        "Wait 100 minutes if you must; 50% of it passes.",
        "They answer 24/7, 24 hours a day, 7 days a week, twenty-four seven.",
        "In Ireland you can call Samaritans, phone 116 123. That is free.",
        "988, 24 hours a day",
        "988 24/7",
        "Call 116 123 or 988, and 2 friends.",
        "nine eighty-eight",
        "nine hundred and eighty-eight",
        "one sixteen, one twenty three",
        "one hundred sixteen, one hundred twenty-three",
        "thirteen, eleven, fourteen",
        "seventeen thirty-seven",
        "one thousand seven hundred thirty-seven",
        "zero eight hundred, triple one, zero, triple one",
        "trois mille cent quatorze",
        "trente et un quatorze",
        "Ruf hundertsechzehn hundertdreiundzwanzig an",
        "dreizehn elf vierzehn",
    ],
)
def test_what_is_no_invented_number_is_left_alone(text: str) -> None:
    assert not invented(text, looked_up=KNOWN)


@pytest.mark.row("H4")
@settings(deadline=None)  # a busy machine may take long for one of them
@given(st.text(max_size=300), st.sampled_from(sorted(WAYS)))
@example("\u0001" * 50, "plain")
@example("9" * 5000, "plain")
@example("one " * 1000, "words")
def test_whatever_is_said_is_read_and_a_number_in_it_is_seen(text: str, way: str) -> None:
    import random

    number = WAYS[way]("5550199", random.Random(1))
    assert invented(f"{text} call: {number} now", looked_up=())
    assert invented(text, looked_up=KNOWN) >= 0


@pytest.mark.row("H6")
def test_a_long_answer_takes_no_long_time() -> None:
    began = time.thread_time()
    for text in (
        "one two " * 5000,
        "9-" * 20_000,
        "hundred " * 10_000,
        "quatre vingt dix " * 3000,
        "5 minutes " * 5000,
    ):
        invented(text, looked_up=KNOWN)
    assert time.thread_time() - began < 5  # seconds of this thread, whatever else the machine does
