"""What may be seen of a call: no name steers a terminal, no private value is left."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from couchvoice.core.tool_view import PRIVATE, shown_name, shown_output

KEYS = st.sampled_from(["a", "b", "c"])
OUTPUTS = st.dictionaries(
    KEYS,
    st.recursive(st.integers() | st.none() | st.text(), lambda inner: st.lists(inner) | st.dictionaries(KEYS, inner)),
)
PHONE = "555-0117"


@pytest.mark.row("F9")
@given(st.text(max_size=200))
def test_a_name_of_any_characters_is_one_short_word(name: str) -> None:
    assert re.fullmatch(r"[\w./:?-]{0,64}", shown_name(name))


@pytest.mark.row("F9")
@pytest.mark.parametrize("name", ["show_chart", "get-weather", "memory.show", "mcp://notes/read", "für_2", "x" * 64])
def test_a_usual_name_is_shown_as_it_is(name: str) -> None:
    assert shown_name(name) == name


@pytest.mark.row("F6")
@given(OUTPUTS)
def test_without_private_fields_all_of_an_output_is_shown(output: dict[str, Any]) -> None:
    assert shown_output(output, ()) == output


@pytest.mark.row("F6")
@given(OUTPUTS)
def test_no_value_of_a_private_field_is_left_however_deep_it_stands(output: dict[str, Any]) -> None:
    assert all(value == PRIVATE for value in values_of("a", shown_output(output, {"a"})))


@pytest.mark.row("F6")
def test_what_stands_beside_a_private_field_is_shown_and_the_output_itself_keeps_everything() -> None:
    output = {"name": "Ann", "phone": PHONE, "friends": [{"name": "Bob", "phone": {"home": PHONE}}, 7]}
    assert shown_output(output, {"phone"}) == {
        "name": "Ann",
        "phone": PRIVATE,
        "friends": [{"name": "Bob", "phone": PRIVATE}, 7],
    }
    assert output["phone"] == PHONE


def values_of(key: str, value: object) -> list[Any]:
    match value:
        case dict():
            found = [value[key]] if key in value else []
            return found + [inner for item in value.values() for inner in values_of(key, item)]
        case list():
            return [inner for item in value for inner in values_of(key, item)]
        case _:
            return []
