"""Which recognizer the local server listens with.

Known recordings when there are any, for their text is evidence; a model, if the owner has one, or else phrases for a
live microphone; both, one after the other, where a talk may hold either.
Law: a server that lacks a recognizer hears nothing and says why; it does not fail.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from couchvoice.audio.frames import AudioFrame
from couchvoice.local.engines.engine_failed import EngineFailed
from couchvoice.local.engines.heard import Heard
from couchvoice.local.engines.phrases import PhraseRecognizer
from couchvoice.local.engines.recordings import KnownRecordings, Recording
from couchvoice.local.missing import MissingPart
from couchvoice.private import Private

THREAD = "couchvoice-hears"  # the name of its thread

_log = logging.getLogger("couchvoice.local")


class OfflineRecognizer(Protocol):
    """Turns an utterance into text, on this machine."""

    def hear(self, samples: NDArray[np.int16], rate: int) -> Heard:
        """Blocking, so run it in a thread; many threads may ask. May raise EngineFailed."""


class OfflineHearing:
    """The first that recognizes the utterance counts; if none does, what the first has to say about it.

    Whoever makes it closes it.
    """

    def __init__(self, recognizers: Sequence[OfflineRecognizer]) -> None:
        self._recognizers = list(recognizers)
        # One thread of its own: all calls encode their sound in the loop's threads, and utterances that end at the
        # same time would take them all.
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix=THREAD)
        self._phrases = [known for known in recognizers if isinstance(known, PhraseRecognizer)]
        for known in self._phrases:  # its child is not ready yet, and nobody waits for it
            self._thread.submit(known.warn)

    async def close(self) -> None:
        self._thread.shutdown(wait=False, cancel_futures=True)
        for known in self._phrases:
            known.close()

    async def learn(self, recordings: Sequence[Recording]) -> None:
        """Hear these, too, from now on."""
        # Where it also hears: a list does not grow while somebody looks through it.
        await asyncio.get_running_loop().run_in_executor(self._thread, self._learn, recordings)

    def _learn(self, recordings: Sequence[Recording]) -> None:
        for known in self._recognizers:
            if isinstance(known, KnownRecordings):
                return known.learn(recordings)
        self._recognizers.insert(0, KnownRecordings(recordings))

    async def hear(self, sound: AudioFrame, *, language: str | None = None) -> Heard:
        """They know what may be said, or have their languages in their model: ``language`` changes nothing."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._thread, self._hear, sound.samples, sound.rate)

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
) -> OfflineHearing:
    """Recordings first, then the model, else phrases, as far as each is given and installed."""
    recognizers: list[OfflineRecognizer] = [KnownRecordings(recordings)] if recordings else []
    if model is not None:
        recognizers.append(model)
    elif phrases:
        try:
            recognizers.append(PhraseRecognizer(phrases))
        except (MissingPart, EngineFailed) as exc:
            _log.warning("x phrases are not recognized, only known recordings are: %s", exc)
    return OfflineHearing(recognizers or [KnownRecordings(())])
