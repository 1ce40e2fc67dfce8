from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future

import pytest
from hypothesis import settings

from couchvoice.audio import card, portaudio
from tests.audio.fake_cards import FakeCard, FakeCards
from tests.audio.pulse import SoundSystem, sound_system

# The machine is shared: an example that waits for its turn is not slow.
settings.register_profile("shared-machine", deadline=None)
settings.load_profile("shared-machine")


@pytest.fixture(scope="session")
def sound() -> Iterator[SoundSystem]:
    """One for each test worker. Its daemon lives to the end: a test that kills takes ``fragile_sound``."""
    with sound_system() as system:
        yield system


@pytest.fixture
def fragile_sound() -> Iterator[SoundSystem]:
    with sound_system() as system:
        yield system


class _Inline(Executor):
    """In place of PortAudio's thread: the clock that jumps knows of no other thread."""

    def submit(self, work, /, *arguments, **options) -> Future:
        done: Future = Future()
        try:
            done.set_result(work(*arguments, **options))
        except Exception as exc:
            done.set_exception(exc)
        return done


@pytest.fixture
def install(monkeypatch: pytest.MonkeyPatch) -> Callable[..., FakeCards]:
    """Put these cards into the machine."""
    monkeypatch.setattr(portaudio, "_thread", _Inline())
    monkeypatch.setattr(portaudio, "_holders", [])

    def install(*cards: FakeCard) -> FakeCards:
        fake = FakeCards(*cards)
        monkeypatch.setitem(sys.modules, "sounddevice", fake)
        monkeypatch.setattr(card, "look", fake.look)
        return fake

    return install
