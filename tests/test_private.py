from __future__ import annotations

import logging
import traceback

import pytest

from couchvoice.private import Private

SECRET = "sk-never-shown"


@pytest.mark.parametrize("show", [repr, str, "{}".format, "{!r}".format, lambda p: f"{p}", lambda p: repr([p])])
def test_what_is_private_is_shown_as_its_length(show):
    assert SECRET not in show(Private(SECRET))
    assert "(14 chars)" in show(Private(SECRET))


def test_it_does_not_come_out_by_a_log_or_a_traceback(caplog: pytest.LogCaptureFixture):
    private = Private(SECRET)
    try:
        raise ValueError(private)
    except ValueError as exc:
        logging.getLogger("couchvoice").error("it is %s", private, exc_info=exc)
        assert SECRET not in traceback.format_exc()
    assert SECRET not in caplog.text


def test_who_needs_it_says_so():
    assert Private(SECRET).reveal() == SECRET


def test_two_are_equal_when_their_texts_are_and_an_empty_one_is_nothing():
    assert Private("a") == Private("a") != Private("b")
    assert Private("a") != "a"
    assert len({Private("a"), Private("a")}) == 1
    assert not Private("")
    assert Private(" ")
