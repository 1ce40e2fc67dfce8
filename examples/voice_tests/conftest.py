"""What all conversations of these tests have in common."""

from typing import Any

import pytest
from opening_hours import opening_hours


@pytest.fixture
def conversation_options() -> dict[str, Any]:
    return {"replies": "replies.yaml", "tools": [opening_hours]}
