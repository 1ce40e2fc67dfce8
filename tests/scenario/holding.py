"""What scripted conversations of these tests say, and the type of the fixture ``hold``."""

from __future__ import annotations

from collections.abc import Callable

from couchvoice.scenario.runner import Held

Hold = Callable[[str], Held]

GREETING = 'say: "Hello, can you hear me?"'
STORY = "say: Please tell me a long story."
STOP = 'say: "Stop, that is enough, thank you."'
