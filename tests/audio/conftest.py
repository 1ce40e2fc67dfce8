from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.audio.pulse import SoundSystem, sound_system


@pytest.fixture(scope="session")
def sound() -> Iterator[SoundSystem]:
    """One for each test worker. Its daemon lives to the end: a test that kills takes ``fragile_sound``."""
    with sound_system() as system:
        yield system


@pytest.fixture
def fragile_sound() -> Iterator[SoundSystem]:
    with sound_system() as system:
        yield system
