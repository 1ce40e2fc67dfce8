"""A WAV as the microphone, a WAV as the loudspeaker, offline: what a test of a voice agent looks like.

python examples/spoken_talk.py fixtures/first-talk.wav reply.wav
"""

import asyncio
import sys
from pathlib import Path

from couchvoice import Endpoints, SessionRequest, TurnRecorded, VoiceSession, WavSink, WavSource
from couchvoice.embedded import embedded_ends
from couchvoice.settings import load_settings


async def main(spoken: Path, answered: Path) -> None:
    source = WavSource(spoken)
    request = SessionRequest(thread_id="example", memory_mode="incognito")
    async with (
        embedded_ends(load_settings(), recordings=[spoken], phrases=False) as ends,
        VoiceSession(Endpoints(**ends._asdict()), request, source=source, sink=WavSink(answered)) as session,
        asyncio.TaskGroup() as tasks,
    ):
        tasks.create_task(hang_up_after(session))
        async for notice in session:
            if isinstance(notice, TurnRecorded):
                turn = notice.turn
                print(f"{turn.index}. {turn.user_text!r} -> {turn.assistant_text!r}")


async def hang_up_after(session: VoiceSession) -> None:
    """When the WAV is over and all that it asked has been answered."""
    await session.finished_speaking()
    await session.quiet()
    session.hang_up()


if len(sys.argv) != 3:
    sys.exit("usage: python examples/spoken_talk.py SPOKEN.wav ANSWERED.wav")
asyncio.run(main(Path(sys.argv[1]), Path(sys.argv[2])))
