"""The shipped corpus: each passage can be looked at, the right one is found, and nothing is found for the rest."""

from __future__ import annotations

from datetime import date
from importlib import resources
from pathlib import Path
from typing import Any

import pytest
import yaml

from couchvoice.backend.lookup.corpus import load_corpus, shipped_corpus
from couchvoice.backend.lookup.passage import MAX_TEXT, Passage

SHIPPED = resources.files("couchvoice.backend.lookup") / "corpus.yaml"


def entries() -> list[dict[str, Any]]:
    loaded: list[dict[str, Any]] = yaml.safe_load(SHIPPED.read_text(encoding="utf-8"))
    return loaded


@pytest.mark.row("H1")
@pytest.mark.parametrize("entry", entries(), ids=lambda entry: entry["title"])
def test_every_passage_has_a_page_a_publisher_and_a_date(entry: dict[str, Any]) -> None:
    passage = Passage.model_validate({name: value for name, value in entry.items() if name != "about"})
    assert passage.url.startswith("https://")
    assert passage.publisher
    assert date(2026, 1, 1) <= (passage.dated or date.min) <= date.today()
    assert len(passage.text) < MAX_TEXT / 3  # it is read out
    assert entry["about"]


@pytest.mark.row("H1")
@pytest.mark.parametrize(
    ("query", "title"),
    [
        ("how much sleep do adults need", "How much sleep adults need"),
        ("What is the current official guidance on sleep for adults?", "How much sleep adults need"),
        ("I can't sleep at night, what helps", "How much sleep adults need"),
        ("treatment of insomnia", "Lasting insomnia"),
        ("is coffee bad for me, how much caffeine is safe", "How much caffeine is safe"),
        ("what does the WHO say about alcohol", "Alcohol and health"),
        ("how long does a panic attack last", "Panic attacks"),
        ("can a panic attack kill me", "Panic attacks"),
        ("should I stop taking my antidepressants", "Coming off antidepressants"),
        ("what are the signs of depression", "Signs of depression"),
        ("how is depression treated", "Treatment of depression"),
        ("how much exercise should I do per week", "Physical activity for adults"),
        ("is burn\u2010out an illness".replace("\u2010", "-"), "Burn-out"),
        ("what is CBT", "Cognitive behavioural therapy"),
        ("my friend talks about suicide, should I ask", "Asking somebody about suicide"),
        ("warning signs of suicide", "Warning signs of suicide"),
        ("I feel sad every winter", "Low mood in winter"),
        ("postpartum depression how common", "Depression after a birth"),
        ("how long does grief last", "Grief"),
        ("how common is loneliness", "Loneliness"),
        ("a breathing exercise for stress", "A breathing exercise for stress"),
    ],
)
async def test_the_passage_that_answers_comes_first(query: str, title: str) -> None:
    assert (await shipped_corpus().find(query))[0].title == title


@pytest.mark.row("H1")
@pytest.mark.parametrize(
    "query",
    [
        "what is the capital of Mongolia",
        "price of bitcoin",
        "who won the world cup",
        "is my cat depressed",
        "what is the dose of ibuprofen",
        "sleep apnea surgery cost",
        "exercise for my dog's knee",
        "side effects of lithium",
        "phone number of my doctor",
        "what is the current official guidance",
        "\u0000\u202e ???",
        "",
    ],
)
async def test_what_the_corpus_does_not_know_it_does_not_answer(query: str) -> None:
    assert await shipped_corpus().find(query) == []


@pytest.mark.parametrize(
    "text",
    [
        "- title: [",
        "- title: A",
        "{}: 1",
        "- {title: A, text: B, url: 'http://c.org', publisher: D, dated: 2026-11-29, about: [a]}",
        "- {title: A, text: B, url: 'https://c.org', publisher: D, about: [a]}",
        "- {title: A, text: B, url: 'https://c.org', dated: 2026-11-29, about: [a]}",
        "- {title: A, text: B, url: 'https://c.org', publisher: D, dated: 2026-11-29}",
    ],
)
def test_a_corpus_with_a_gap_is_refused_as_a_whole(tmp_path: Path, text: str) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match=r"mine\.yaml"):
        load_corpus(path)
