"""Push-to-talk as an application uses it: what the provider hears, and when it is asked for an answer."""

from __future__ import annotations

import asyncio
import json

import numpy as np
import pytest

from couchvoice.audio.frames import FRAME_SAMPLES, SAMPLE_RATE, AudioFrame
from couchvoice.core.notices import TurnRecorded
from couchvoice.core.push_to_talk import MIN_PRESS
from couchvoice.core.state import SessionState
from couchvoice.errors import InvalidState
from tests.audio.tones import pcm16, tone
from tests.client.stage import ANSWER, QUESTION, Microphone, Stage, staged, talking
from tests.e2e.minimal_backend import Fault
from tests.patience import WAIT, until
from tests.transports.answering_peer import SECRET

PRESS = MIN_PRESS + 0.05  # seconds, long enough for words
LOUD = 3000  # of 32767
SILENT = 8  # of 32767: what Opus may make of zeros


class Humming(Microphone):
    """Hears a tone all the time."""

    async def read(self) -> AudioFrame:
        await super().read()
        return AudioFrame(pcm16(tone(1.0))[:FRAME_SAMPLES], SAMPLE_RATE)


async def take_turns_by_hand(stage: Stage) -> None:
    changing = asyncio.create_task(stage.session.set_turn_detection(None))
    await stage.peer.wait_for(lambda: stage.peer.of("session.update"))
    # As a server that does not repeat a null.
    stage.peer.send("session.updated", session={"type": "realtime", "audio": {"input": {}}})
    await asyncio.wait_for(changing, WAIT)


async def hold(seconds: float = PRESS) -> None:
    """The button stays down: real time, for it is the user's."""
    await asyncio.sleep(seconds)


def answer_commit(stage: Stage, item: str = "item_1") -> None:
    stage.peer.send("input_audio_buffer.committed", item_id=item)
    stage.peer.send("conversation.item.added", item={"id": item, "type": "message", "role": "user"})
    stage.peer.send("conversation.item.input_audio_transcription.completed", item_id=item, transcript=QUESTION)


@pytest.mark.row("D11")
async def test_a_press_is_a_turn():
    async with talking() as stage:
        await take_turns_by_hand(stage)
        stage.session.begin_speaking()
        assert stage.session.state is SessionState.USER_SPEAKING
        await hold()
        stage.session.end_speaking()
        await stage.peer.wait_for(lambda: stage.peer.of("input_audio_buffer.commit"))
        assert stage.session.state is SessionState.THINKING
        assert not stage.peer.of("response.create")
        answer_commit(stage)
        await stage.peer.wait_for(lambda: stage.peer.of("response.create"))
        stage.begin_answer()
        stage.end_answer()
        await stage.told(TurnRecorded)
        (turn,) = stage.backend.to("turn")
        assert (turn["user_text"], turn["assistant_text"]) == (QUESTION, ANSWER)
        kinds = [event["type"] for event in stage.peer.events]
        # The peer hums all the time: by now it may be heard, and is then told to stop.
        assert [kind for kind in kinds if kind != "output_audio_buffer.clear"] == [
            "session.update",
            "input_audio_buffer.clear",
            "input_audio_buffer.commit",
            "response.create",
        ]


@pytest.mark.row("D11")
async def test_with_the_button_up_true_silence_leaves_this_machine():
    async with talking(microphone=Humming()) as stage:
        heard = stage.peer.heard

        def last_peak() -> int:
            return int(np.abs(heard[-1].astype(int)).max()) if heard else 0

        await until(lambda: last_peak() > LOUD)
        await take_turns_by_hand(stage)
        await until(lambda: last_peak() < SILENT)
        async with stage.session.speaking():
            await until(lambda: last_peak() > LOUD)
        await until(lambda: last_peak() < SILENT)


@pytest.mark.row("D11")
async def test_with_the_button_up_the_frames_are_zeros():
    async with talking(microphone=Humming()) as stage:
        await take_turns_by_hand(stage)
        client = stage.session._client
        assert client is not None  # it is connected
        assert not (await client.read_frame()).samples.any()
        stage.session.begin_speaking()
        assert (await client.read_frame()).samples.any()


@pytest.mark.row("D11")
async def test_an_error_while_the_button_is_down_lets_it_go():
    async with talking() as stage:
        await take_turns_by_hand(stage)
        with pytest.raises(ZeroDivisionError):
            await _speak_and_fail(stage)
        await stage.peer.wait_for(lambda: stage.peer.of("input_audio_buffer.commit"))


async def _speak_and_fail(stage: Stage) -> None:
    async with stage.session.speaking():
        await hold()
        raise ZeroDivisionError


@pytest.mark.row("D11")
async def test_a_talk_that_ends_while_the_button_is_down_just_ends():
    async with talking() as stage:
        await take_turns_by_hand(stage)
        async with stage.session.speaking():
            await stage.session.disconnect()
        assert not stage.peer.of("input_audio_buffer.commit")
        assert stage.session.error is None


@pytest.mark.row("D11")
async def test_a_press_that_the_server_finds_empty_is_answered_by_nobody():
    async with talking() as stage:
        await take_turns_by_hand(stage)
        async with stage.session.speaking():
            await hold()
        await stage.peer.wait_for(lambda: stage.peer.of("input_audio_buffer.commit"))
        (commit,) = stage.peer.of("input_audio_buffer.commit")
        error = {"code": "input_audio_buffer_commit_empty", "message": "too short", "event_id": commit["event_id"]}
        stage.peer.send("error", error=error)
        await asyncio.wait_for(stage.session.quiet(), WAIT)
        assert not stage.peer.of("response.create")
        assert stage.session.state is SessionState.LISTENING


@pytest.mark.row("D11")
async def test_the_button_needs_a_session_that_leaves_turns_to_it():
    async with talking() as stage:
        with pytest.raises(InvalidState):
            stage.session.begin_speaking()
        with pytest.raises(InvalidState):
            async with stage.session.speaking():
                pass
        assert stage.session.is_connected


@pytest.mark.row("D11")
@pytest.mark.parametrize(("detection", "leaves"), [(None, False), ({"type": "server_vad"}, True)])
async def test_before_the_channel_opens_the_sound_is_what_the_backend_bound_the_session_to(
    detection: object, leaves: bool
):
    config = {"type": "realtime", "audio": {"input": {"turn_detection": detection}}}
    async with staged(microphone=Humming()) as stage:
        reply = {"client_secret": SECRET, "session_config": config}
        stage.backend.faults["session"] = Fault(200, json.dumps(reply), "application/json")
        stage.peer.hangs = True
        connecting = asyncio.create_task(stage.session.connect())
        await stage.peer.asked.wait()
        client = stage.session._client
        assert client is not None  # it connects
        assert bool((await client.read_frame()).samples.any()) is leaves
        stage.session.abort()
        await asyncio.gather(connecting, return_exceptions=True)
