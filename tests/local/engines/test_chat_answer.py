"""What a chat server says is cut into sentences, however it comes."""

from __future__ import annotations

import re
import time

import pytest

from couchvoice.local.engines.chat_answer import LONGEST, ChatAnswer
from couchvoice.local.protocol.reply import Say

TEXT = "Yes... and no!  Really? 3.5 is a number.\nA line\n\n你好。再见。 The end"
SPLIT = ["Yes...", "and no!", "Really?", "3.5 is a number.", "A line", "你好。", "再见。", "The end"]


def sentences(*pieces: str) -> list[str]:
    answer = ChatAnswer()
    said: list[Say] = []
    for piece in pieces:
        said += answer.take({"choices": [{"delta": {"content": piece}}]})
    return [part.text for part in said + answer.end()[0]]


@pytest.mark.parametrize("size", [1, 2, 3, 7, len(TEXT)])
def test_sentences_are_the_same_however_the_text_is_cut(size: int) -> None:
    assert sentences(*re.findall(f"(?s).{{1,{size}}}", TEXT)) == SPLIT


def test_a_text_without_an_end_is_spoken_piece_by_piece() -> None:
    assert [len(piece) for piece in sentences("a" * (2 * LONGEST + 1))] == [LONGEST, LONGEST, 1]


def test_a_long_text_costs_as_much_as_its_length() -> None:
    before = time.thread_time()
    assert sentences(*["a" * 10] * 20_000)
    assert time.thread_time() - before < 1
