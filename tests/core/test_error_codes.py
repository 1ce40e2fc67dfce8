"""What the provider's error codes mean to a talk."""

from __future__ import annotations

import pytest

from couchvoice.core.error_codes import ALREADY_ACTIVE, BENIGN, EMPTY_COMMIT, FATAL


@pytest.mark.row("E5", "E9")
def test_no_error_is_both_hidden_and_the_end() -> None:
    assert not BENIGN & FATAL
    assert {ALREADY_ACTIVE, EMPTY_COMMIT} <= BENIGN
