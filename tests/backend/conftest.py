from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.backend.ends import BackendEnd, running_backend


@pytest.fixture
async def backend(tmp_path: Path) -> AsyncIterator[BackendEnd]:
    async with running_backend(tmp_path / "state") as end:
        yield end
