"""Which rules would leave out what keeps a person safe, and which words open a door."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from couchvoice.backend.memory.safety import holds_a_secret, skips_safety

RULES: dict[str, Any] = yaml.safe_load((Path(__file__).parent / "rules.yaml").read_text(encoding="utf-8"))


@pytest.mark.row("J3")
@pytest.mark.parametrize("rule", RULES["skip_safety"])
def test_a_rule_that_would_skip_safety_is_seen(rule: str) -> None:
    assert skips_safety(rule)
    assert skips_safety(rule.upper().replace("'", "\u2019"))


@pytest.mark.row("J3")
@pytest.mark.parametrize("rule", RULES["harmless"])
def test_a_rule_about_manners_is_none_of_them(rule: str) -> None:
    assert not skips_safety(rule)
    assert not holds_a_secret(rule)


@pytest.mark.parametrize(
    "text", ["My password is hunter two", "my PIN is 1234", "4111 1111 1111 1111", "Remember the card number"]
)
def test_what_opens_a_door_is_seen(text: str) -> None:
    assert holds_a_secret(text)
