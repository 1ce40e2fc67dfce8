"""Push-to-talk, offline: the microphone is heard while the button is down, and the answer comes when it goes up.

The "microphone" is a WAV and the "button" is down for so many seconds; with a real one, call ``begin_speaking`` and
``end_speaking`` from its events.

python examples/push_to_talk.py fixtures/two-tools.wav 6
"""

import asyncio
import sys
from pathlib import Path

from couchvoice import AssistantTranscript, Endpoints, NullSink, TurnRecorded, UserTranscript, VoiceSession, WavSource
from couchvoice.embedded import embedded_ends
from couchvoice.settings import load_settings


async def main(spoken: Path, seconds: float) -> None:
    async with (
        embedded_ends(load_settings(), recordings=[spoken], phrases=False) as ends,
        VoiceSession(Endpoints(**ends._asdict()), source=WavSource(spoken), sink=NullSink()) as session,
    ):
        await session.set_turn_detection(None)  # from here on nobody but us says when the user speaks
        async with session.speaking():
            await asyncio.sleep(seconds)
        async for notice in session:
            match notice:
                case UserTranscript(_, text, True):
                    print(f"you: {text}")
                case AssistantTranscript(_, text, True):
                    print(f"assistant: {text}")
                case TurnRecorded():
                    break


asyncio.run(main(Path(sys.argv[1]), float(sys.argv[2])))
