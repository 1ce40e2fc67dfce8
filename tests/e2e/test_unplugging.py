"""A talk in which the microphone, then the loudspeaker, is unplugged and put back, on real sound systems."""

import asyncio
import signal
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from couchvoice.audio.frames import SAMPLE_RATE
from couchvoice.local.engines.recordings import KnownRecordings, Recording
from tests.audio.pulse import HotPlug, hot_plugs
from tests.e2e.sound_card import RATE, RECORDER, keep, lines_until, running, samples_of, write_question
from tests.local.speech import spoken
from tests.patience import until

BACK_WITHIN = 2.0  # s
QUIET = 200  # of 32767
PATIENCE = 2.0  # s more where the machine is busy with other tests
ANSWER = "Yes, I can hear you well. How are you today?"
VOICE = "alloy"
ASKED_AT_MOST = 3  # the sound servers of a busy machine tear what they play, and that is not what is shown here


@pytest.mark.timeout(90)
@pytest.mark.row("B8", "P10", "M6")
async def test_both_devices_are_pulled_out_and_put_back_and_the_talk_goes_on(tmp_path):
    """The question is recognized by the far end, the answer from what the loudspeaker's monitor gave."""
    question = write_question(tmp_path / "question.wav")
    answer = Recording(ANSWER, await asyncio.to_thread(spoken, ANSWER, VOICE), SAMPLE_RATE)
    talk = [sys.executable, "-m", "couchvoice", "talk", "--input", "couch_mic", "--output", "couch_speaker", "--json"]
    with hot_plugs() as (microphone, speaker):
        environment = speaker.environment | {"COUCHVOICE_STATE_DIR": str(tmp_path)}
        async with running(*talk, "--voice", VOICE, environment=environment) as talking:
            await lines_until(talking, type="state", state="listening")
            for plug, kind, name in ((microphone, "input", "couch_mic"), (speaker, "output", "couch_speaker")):
                await pull_out_and_put_back(plug, talking, kind=kind, name=name)
            turns = [await ask(question, talking, answer, microphone, environment)]
            while not turns[-1].heard_whole and len(turns) < ASKED_AT_MOST:
                turns.append(await ask(question, talking, answer, microphone, environment))
            talking.send_signal(signal.SIGINT)
            summary = (await lines_until(talking, type="summary"))[-1]
            await talking.wait()
    assert {turn.texts for turn in turns} == {("Hello, can you hear me?", ANSWER)}
    assert turns[-1].heard_whole
    assert (summary["turns"], summary["exit"]) == (len(turns), 130)


@dataclass
class Asked:
    texts: tuple[str, str]
    heard_whole: bool  # from the loudspeaker's monitor


async def ask(
    question: Path,
    talking: asyncio.subprocess.Process,
    answer: Recording,
    microphone: HotPlug,
    environment: dict[str, str],
) -> Asked:
    heard = bytearray()
    async with running(*RECORDER, environment=environment) as recorder:
        hearing = asyncio.create_task(keep(recorder, heard))
        async with running("paplay", "-d", "micfeed", str(question), environment=microphone.environment) as asking:
            await asking.wait()
        turn = (await lines_until(talking, type="turn"))[-1]
        # The recorder hands out what it has a while later.
        await until(lambda: ended_speaking(samples_of(heard)))
        recorder.terminate()
        await hearing
    text = KnownRecordings([answer]).hear(around_speech(samples_of(heard)), RATE).text
    return Asked((turn["user_text"], turn["assistant_text"]), text == ANSWER)


async def pull_out_and_put_back(plug: HotPlug, talking: asyncio.subprocess.Process, *, kind: str, name: str) -> None:
    await asyncio.to_thread(plug.unplug)
    await lines_until(talking, type="device", kind=kind, status="lost", name=name)
    await asyncio.to_thread(plug.plug_in)
    back = time.monotonic()
    await lines_until(talking, type="device", kind=kind, status="restored", name=name)
    assert time.monotonic() - back < BACK_WITHIN + PATIENCE


def ended_speaking(samples: np.ndarray) -> bool:
    loud = np.flatnonzero(np.abs(samples.astype(np.int32)) > QUIET)
    return loud.size > 0 and samples.size - loud[-1] > RATE


def around_speech(samples: np.ndarray) -> np.ndarray:
    loud = np.flatnonzero(np.abs(samples.astype(np.int32)) > QUIET)
    return samples[max(0, loud[0] - RATE // 3) : loud[-1] + RATE // 2]
