"""What a call is."""

from __future__ import annotations

import pytest

from couchvoice.core.calls import Call, read_arguments


@pytest.mark.parametrize("text", [None, "", "{", "[]", "null", '"x"', "[" * 100_000, '{"a": "\ud800"}'])
def test_arguments_that_are_no_object_are_an_empty_one(text: str | None) -> None:
    assert read_arguments(text) == {}


def test_arguments_are_read_as_they_stand() -> None:
    assert read_arguments('{"query": "tea", "limit": 2}') == {"query": "tea", "limit": 2}


@pytest.mark.parametrize("quote", [None, "", "  ", 7])
def test_a_quote_that_holds_no_words_is_none(quote: object) -> None:
    assert Call("call_1", "save", {"user_quote": quote}, "resp_1", 0, asked_at=0.0).quote is None
