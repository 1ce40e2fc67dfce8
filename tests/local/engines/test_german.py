"""A talk in another language: heard, answered and spoken in it."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from couchvoice.audio.wav import read_wav
from couchvoice.local.engine_options import EngineOptions
from couchvoice.local.engines.choose_engines import running_engines
from couchvoice.local.engines.recordings import KnownRecordings
from couchvoice.local.engines.replies import Rules
from couchvoice.local.engines.voice import Tone
from couchvoice.local.protocol.reply import Question, Say
from couchvoice.local.resample import resample
from tests.local.caller import known
from tests.local.serving import listening
from tests.local.socket_caller import RATE, conversing
from tests.local.speech import FIXTURES
from tests.requirements import require

TALK, RULES = FIXTURES / "german-talk.wav", FIXTURES / "replies-de.yaml"
LINES = TALK.with_suffix(".txt").read_text(encoding="utf-8").splitlines()
ANSWERS = ["Guten Morgen! Ich höre dich gut.", "Auf Wiedersehen, und einen schönen Tag."]
ALIKE = 0.95  # correlation of the same sentence made twice

pytestmark = pytest.mark.row("D13")


def likeness(one: NDArray[np.int16], other: NDArray[np.int16]) -> float:
    size = min(one.size, other.size)
    return float(np.corrcoef(one[:size], other[:size])[0, 1])


@pytest.mark.parametrize("place", range(2))
def test_each_line_of_the_german_talk_is_recognized_and_known_to_the_german_rules(place: int) -> None:
    recordings = known("german-talk")
    heard = KnownRecordings(recordings).hear(recordings[place].samples, recordings[place].rate)
    assert heard.text == LINES[place]
    assert Rules.load(RULES).parts(Question(heard=LINES[place])) == (Say(ANSWERS[place]),)


def test_the_german_talk_is_16_khz_and_as_long_as_its_pauses_say() -> None:
    samples = read_wav(TALK, rate=16_000).samples
    assert 11 < samples.size / 16_000 < 15
    assert not np.any(samples[:7900])


async def test_a_german_talk_is_answered_in_german_by_a_german_voice() -> None:
    options = EngineOptions(recordings=[TALK], phrases=False, replies=RULES)
    async with (
        running_engines(options) as engines,
        listening(engines) as place,
        conversing(place) as caller,
    ):
        require(not isinstance(engines.voice, Tone), "a speech engine")
        transcription = {"model": "m", "language": "de"}
        session = {"type": "realtime", "audio": {"input": {"transcription": transcription}}}
        await caller.send("session.update", session=session)
        for turn, recording in enumerate(known("german-talk")):
            await caller.say(recording)
            done = (await caller.wait_for("response.done", count=turn + 1))["response"]
            assert done["output"][0]["content"][0]["transcript"] == ANSWERS[turn]
        transcripts = caller.of("conversation.item.input_audio_transcription.completed")
        assert [event["transcript"] for event in transcripts] == LINES
        first = ANSWERS[0].partition(" Ich")[0]
        german, english = [
            resample(await engines.voice.speak(first, voice="marin", language=language), RATE).samples
            for language in ("de", None)
        ]
        assert likeness(caller.sound, german) > ALIKE
        assert likeness(caller.sound, english) < ALIKE / 2
