"""Which recognizer the local server listens with.

Known recordings when there are any, for their text is evidence; a model, if the owner has one, or else phrases for a
live microphone; both, one after the other, where a talk may hold either.
Law: a server that lacks a recognizer hears nothing and says why; it does not fail.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from couchvoice.audio.frames import AudioFrame
from couchvoice.local.engines import Recognizer
from couchvoice.local.engines.heard import Heard
from couchvoice.local.engines.phrases import PhraseRecognizer
from couchvoice.local.engines.recordings import KnownRecordings, Recording
from couchvoice.local.missing import MissingPart
from couchvoice.private import Private

_log = logging.getLogger("couchvoice.local")


class OfflineRecognizer(Protocol):
    """Turns an utterance into text, on this machine."""

    def hear(self, samples: NDArray[np.int16], rate: int) -> Heard:
        """Blocking, so run it in a thread; many threads may ask. May raise EngineFailed."""


class _OneAfterTheOther:
    """The first that recognizes the utterance counts; if none does, what the first has to say about it."""

    def __init__(self, recognizers: Sequence[OfflineRecognizer]) -> None:
        self._recognizers = recognizers

    async def hear(self, sound: AudioFrame, *, language: str | None = None) -> Heard:
        """They know what may be said, or have their languages in their model: ``language`` changes nothing."""
        return await asyncio.to_thread(self._hear, sound.samples, sound.rate)

    def _hear(self, samples: NDArray[np.int16], rate: int) -> Heard:
        first: Heard | None = None
        for recognizer in self._recognizers:
            heard = recognizer.hear(samples, rate)
            _log.debug(
                "< %s: share %.2f of %r, %s",
                type(recognizer).__name__,
                heard.share,
                Private(heard.nearest or ""),
                "refused" if heard.text is None else "accepted",
            )
            if heard.text is not None:
                return heard
            first = first or heard
        assert first is not None  # choose_recognizer puts in at least one
        return first


def choose_recognizer(
    *, recordings: Sequence[Recording] = (), phrases: Sequence[str] = (), model: OfflineRecognizer | None = None
) -> Recognizer:
    """Recordings first, then the model, else phrases, as far as each is given and installed."""
    recognizers: list[OfflineRecognizer] = [KnownRecordings(recordings)] if recordings else []
    if model is not None:
        recognizers.append(model)
    elif phrases:
        try:
            recognizers.append(PhraseRecognizer(phrases))
        except MissingPart as exc:
            _log.warning("x phrases are not recognized, only known recordings are: %s", exc)
    return _OneAfterTheOther(recognizers or [KnownRecordings(())])
