"""What is taken out of a recording."""

import pytest

from couchvoice.scenario.scrub import KEPT_BACK, Scrubber

pytestmark = pytest.mark.row("P6")


def scrubbed(value: object, *, renumber: bool = True, **known: str) -> object:
    return Scrubber(known, renumber=renumber).scrub(value)


@pytest.mark.parametrize(
    "key",
    [
        "sk-proj-0123456789abcdef",
        "ek_0123456789abcdef_-x",
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhIn0.c2lnbmF0dXJl",
    ],
)
def test_whatever_looks_like_a_key_is_taken_out_wherever_it_stands(key):
    assert scrubbed({"note": [f"my key is {key}, keep it"]}) == {"note": [f"my key is {KEPT_BACK}, keep it"]}


def test_what_stands_in_a_secret_field_is_taken_out_whatever_it_is():
    assert scrubbed({"client_secret": {"value": "abc"}, "Token": "x", "tokens": 5, "secret": None}) == {
        "client_secret": KEPT_BACK,
        "Token": KEPT_BACK,
        "tokens": 5,
        "secret": None,
    }


def test_what_is_known_is_named_and_the_longer_one_goes_first():
    known = {"user": "ada@example.org", "thread": "thread_of_ada@example.org"}
    assert scrubbed("thread_of_ada@example.org of ada@example.org", **known) == "⟨thread⟩ of ⟨user⟩"
    assert scrubbed("Ada said so", user="Ada") == "Ada said so"  # too short: it is in every other word


def test_ids_become_numbers_that_belong_together_and_words_stay():
    event = {
        "type": "item_reference",
        "item_id": "item_4f00ab12cd",
        "after": "item_9912ff00aa",
        "again": "item_4f00ab12cd",
    }
    assert scrubbed(event) == {"type": "item_reference", "item_id": "item_1", "after": "item_2", "again": "item_1"}
    assert scrubbed(event, renumber=False) == event
    assert scrubbed("call_of_the_wild, event_horizon") == "call_of_the_wild, event_horizon"
