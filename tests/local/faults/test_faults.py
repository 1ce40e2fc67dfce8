"""Faults are read as they are written, and what does not exist is refused with what does."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from couchvoice.local.faults.faults import REFUSALS, Faults, parse_faults
from couchvoice.local.protocol.bad_event import BadEvent

GLOBS = st.lists(st.sampled_from(["response.done", "rate_limits.*", "*"]), max_size=2).map(tuple)
SHARES = st.sampled_from([0.0, 0.25, 1.0])
FAULTS = st.builds(
    Faults,
    status=st.none() | st.sampled_from(sorted(REFUSALS)),
    delay_ms=st.none() | st.integers(0, 1000),
    drop=st.none() | GLOBS,
    drop_rate=st.none() | SHARES,
    no_deltas=st.none() | st.booleans(),
    transcription=st.none() | st.sampled_from(["failed", "empty", "none"]),
    session_limit_s=st.none() | st.sampled_from([0.5, 60.0]),
    seed=st.none() | st.integers(-5, 5),
)

WRONG = {
    "delay=3": "There are the faults status, .*, seed, and no 'delay'",
    "x" * 9999: "There are the faults .*, seed, and no 'xxx",
    "=3": "and no ''",
    "status=418": "expected one of 401, 403, 404, 429, 500, 503",
    "transcription=late": "expected one of failed, empty, none",
    "delay_ms=soon": "delay_ms is 'soon': Expected `int`",
    "delay_ms=-1": "delay_ms is '-1': Expected `int` >= 0",
    "delay_ms=" + "9" * 5000: "Expected `int`|out of range",
    "drop_rate=2": "Expected `float` <= 1",
    "drop_rate=nan": "Expected `float`",
    "session_limit_s=0": "Expected `float` > 0",
    "no_deltas=perhaps": "no_deltas is 'perhaps': Expected `bool`",
    "delay_ms": "The fault delay_ms needs a value",
    "drop": "The fault drop needs a value",
    "delay_ms=1,delay_ms=2": "delay_ms is there twice",
}


def as_written(faults: Faults) -> str:
    """The one line that says the same."""
    values = {name: getattr(faults, name) for name in faults.__struct_fields__}
    texts = {
        name: "|".join(value) if isinstance(value, tuple) else str(value).lower()
        for name, value in values.items()
        if value is not None
    }
    return ",".join(f"{name}={text}" for name, text in texts.items())


@pytest.mark.row("O7")
def test_one_line_says_how_a_call_goes_wrong() -> None:
    said = parse_faults(" delay_ms=200, drop=response.done|rate_limits.* ,no_deltas, seed=7,session_limit_s=0.5,")
    assert said == Faults(
        delay_ms=200, drop=("response.done", "rate_limits.*"), no_deltas=True, seed=7, session_limit_s=0.5
    )


@given(FAULTS)
def test_whatever_is_written_is_read(faults: Faults) -> None:
    assert parse_faults(as_written(faults)) == faults


@pytest.mark.parametrize("text", ["", " ", ",", " , "])
def test_a_blank_line_says_nothing(text: str) -> None:
    assert parse_faults(text) == Faults()


@pytest.mark.parametrize("text", WRONG, ids=lambda text: text[:20])
def test_what_does_not_exist_is_refused_with_what_does(text: str) -> None:
    with pytest.raises(BadEvent, match=WRONG[text]) as refused:
        parse_faults(text)
    assert (refused.value.code, refused.value.param) == ("invalid_value", "faults")


@given(st.text(max_size=60))
def test_any_other_text_is_refused_and_breaks_nothing(text: str) -> None:
    with contextlib.suppress(BadEvent):
        parse_faults(text)


def test_each_fault_is_named_in_the_list_of_an_error_whole() -> None:
    with pytest.raises(BadEvent) as refused:
        parse_faults("unheard_of=1")
    assert all(name in refused.value.message for name in (*Faults.__struct_fields__, "unheard_of"))


def test_each_status_has_its_words() -> None:
    for status in REFUSALS:
        assert parse_faults(f"status={status}").status == status


def test_the_narrower_wins_where_it_says_something() -> None:
    server, secret, call = Faults(delay_ms=100, no_deltas=True, seed=3), Faults(delay_ms=5), Faults(no_deltas=False)
    assert call.over(secret.over(server)) == Faults(delay_ms=5, no_deltas=False, seed=3)


@given(FAULTS, FAULTS, FAULTS)
def test_how_layers_are_put_together_does_not_matter(call: Faults, secret: Faults, server: Faults) -> None:
    assert call.over(secret).over(server) == call.over(secret.over(server))
    assert call.over(Faults()) == Faults().over(call) == call
