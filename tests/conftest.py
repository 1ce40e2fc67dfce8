"""What holds for every test: it finds nothing of the machine's settings, and leaves no task behind."""

from __future__ import annotations

import functools
import inspect
import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

from tests.leftovers import Leftovers

if TYPE_CHECKING:
    from tests.audio.fake_cards import FakeCards

# The machine is shared: an example that waits for its turn is not slow. All else is as Hypothesis has it, with CI too.
settings.register_profile("shared-machine", deadline=None)
settings.load_profile("shared-machine")

_FOREIGN = ("COUCHVOICE_", "OPENAI_", "AZURE_", "REALTIME_")
_KEPT = "COUCHVOICE_REQUIRE"


@pytest.fixture(autouse=True)
def settings_of_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No provider, no key, and a state directory of the test's own. Programs that the test starts inherit it."""
    for name in list(os.environ):
        if name.upper().startswith(_FOREIGN) and name != _KEPT:
            monkeypatch.delenv(name)
    monkeypatch.setenv("COUCHVOICE_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setenv("COUCHVOICE_CONFIG", os.devnull)


@pytest.fixture
def install(monkeypatch: pytest.MonkeyPatch) -> Callable[..., FakeCards]:
    """Sound cards of a fake sound system: ``install(FakeCard("headset", inputs=1), …)``."""
    from tests.audio.fake_cards import installer  # numpy and av, which most tests need not load

    return installer(monkeypatch)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if isinstance(item, pytest.Function) and inspect.iscoroutinefunction(item.obj):
            item.obj = _leaving_no_task(item.obj)


def _leaving_no_task(test: Callable[..., Awaitable[None]]) -> Callable[..., Awaitable[None]]:
    @functools.wraps(test)
    async def checked(*arguments: object, **fixtures: object) -> None:
        leftovers = Leftovers()
        await test(*arguments, **fixtures)
        assert await leftovers.tasks() == []

    return checked
