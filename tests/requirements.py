"""What a test needs of the machine. Missing parts skip the test, except where all of them are promised.

Law: CI sets COUCHVOICE_REQUIRE=all; there a skip is a failure, so that nothing goes untested unnoticed.
"""

from __future__ import annotations

import os

import pytest


def require(condition: object, reason: str) -> None:
    """Go on if the condition holds; else skip, or fail when COUCHVOICE_REQUIRE is ``all``."""
    if condition:
        return
    if os.environ.get("COUCHVOICE_REQUIRE") == "all":
        pytest.fail(f"required here: {reason}")
    pytest.skip(reason)
