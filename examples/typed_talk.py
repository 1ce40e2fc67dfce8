"""A talk in writing, offline: the assistant hears typed words and answers aloud; its words are printed.

python examples/typed_talk.py "Hello, can you hear me?"
"""

import asyncio
import sys

from couchvoice import AssistantTranscript, Endpoints, NullSink, SilentSource, TurnRecorded, VoiceSession
from couchvoice.embedded import embedded_ends
from couchvoice.settings import load_settings


async def main(question: str) -> None:
    async with (
        embedded_ends(load_settings()) as ends,
        VoiceSession(Endpoints(**ends._asdict()), source=SilentSource(), sink=NullSink()) as session,
    ):
        session.send_message(question)
        async for notice in session:
            match notice:
                case AssistantTranscript(_, text, True):
                    print(f"assistant: {text}")
                case TurnRecorded(turn):
                    print(f"turn {turn.index} is over ({turn.outcome.value})")
                    break


asyncio.run(main(" ".join(sys.argv[1:]) or "Hello, can you hear me?"))
