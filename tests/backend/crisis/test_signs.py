"""Which words say that somebody may come to harm."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from couchvoice.backend.crisis.signs import says_crisis


@pytest.mark.row("H6")
@pytest.mark.parametrize(
    "said",
    [
        "I want to die",
        "i want to kill myself",
        "I\u2019m thinking about killing myself.",
        "I don't want to live anymore",
        "I do not want to be alive",
        "I just don't want to wake up",
        "I wish I was dead",
        "I wish I had never been born.",
        "Everybody would be better off without me",
        "There is no reason to live.",
        "Life isn't worth it any more",
        "I'm suicidal",
        "I have suicidal thoughts",
        "I took all of my pills",
        "I swallowed a handful of tablets",
        "I'm going to jump off the bridge",
        "I have been cutting myself again",
        "I can't stop hurting myself",
        "why not kill myself",
        "I don't know why I should not kill myself. I want to end my life",
        "My friend wants to kill herself",
        "My husband threatened to kill me",
        "I wrote a goodbye letter",
        "I'm not okay. I want to end it all",
        "I am not hungry, but I want to die",
        "I'd rather be dead",
        "I self-harm",
        "I am going to kill him",
        "Ich will nicht mehr leben",
        "Ich möchte sterben",
        "Ich bringe mich um",
        "Ich will mich umbringen",
        "Ich denke an Selbstmord",
        "Ich habe Suizidgedanken",
        "J'ai envie de mourir",
        "Je veux me suicider",
        "Je ne veux plus vivre",
        "Quiero morirme",
        "No quiero seguir viviendo",
        "Quiero quitarme la vida",
    ],
)
def test_words_of_danger_are_heard(said: str) -> None:
    assert says_crisis(said)
    assert says_crisis(f"Hello. {said.upper()}!")


@pytest.mark.row("H6")
@pytest.mark.parametrize(
    "said",
    [
        "",
        "Hello, can you hear me?",
        "I feel sad today",
        "This job is killing me",
        "My back kills me",
        "I'm dying to see that film",
        "I died of laughter",
        "My mother will kill me if I come late",
        "I'm not suicidal",
        "I have no suicidal thoughts",
        "I don't want to die",
        "I would never kill myself",
        "I'm not going to hurt myself",
        "I cut myself shaving",
        "Suicide Squad was on",
        "I want to diet",
        "I want a new life",
        "I ended my subscription",
        "I live in Ireland",
        "What is on in the theatre",
        "Ich will nicht mehr arbeiten",
        "Ich habe mich verfahren",
        "Je veux plus de café",
        "No quiero comer",
        "\ud800",
    ],
)
def test_everyday_words_are_no_alarm(said: str) -> None:
    assert not says_crisis(said)


@pytest.mark.row("H6")
@settings(deadline=None)  # a busy machine may take long for one of them
@given(st.text())
def test_whatever_is_said_is_judged(said: str) -> None:
    assert says_crisis(f"{said}. I want to kill myself")
    says_crisis(said)


def test_a_long_speech_takes_no_long_time() -> None:
    began = time.thread_time()
    for said in (
        "want to " * 20_000,
        "i do not " * 20_000,
        "took a lot of " * 10_000,
        "not suicidal " * 10_000,
        "." * 100_000,
    ):
        says_crisis(said)
    assert time.thread_time() - began < 5  # seconds of this thread, whatever else the machine does
