from __future__ import annotations

import inspect

import pytest

from couchvoice.audio.microphone import Microphone
from couchvoice.audio.sink import NullSink, Sink
from couchvoice.audio.source import Source
from couchvoice.audio.speaker import Speaker
from couchvoice.audio.wav import WavSink, WavSource

SOURCES: tuple[type[Source], ...] = (Microphone, WavSource)
SINKS: tuple[type[Sink], ...] = (NullSink, Speaker, WavSink)


@pytest.mark.parametrize(("kind", "seam"), [*((kind, Source) for kind in SOURCES), *((kind, Sink) for kind in SINKS)])
def test_every_source_and_sink_fits_its_seam(kind: type, seam: type):
    wanted = {
        name: inspect.signature(method) for name, method in vars(seam).items() if inspect.iscoroutinefunction(method)
    }
    assert {name: inspect.signature(getattr(kind, name)) for name in wanted} == wanted
    assert all(inspect.iscoroutinefunction(getattr(kind, name)) for name in wanted)
