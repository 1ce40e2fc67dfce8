"""Two WebRTC stacks that are neither aiortc nor libwebrtc: they call our server, and our client calls them."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import numpy as np
import pytest
from numpy.typing import NDArray

from couchvoice.audio.frames import SAMPLE_RATE, AudioFrame, silence
from couchvoice.audio.wav import read_wav
from couchvoice.local.resample import resample
from tests.audio.tones import strongest_hertz
from tests.e2e.foreign_answerer import ANSWER, ANSWER_PITCH, QUESTION, answering, hold_one_turn
from tests.e2e.foreign_peer import PROGRAM, STACKS, ForeignPeer, foreign_peer
from tests.e2e.local_server import KEY, LocalServer, local_server
from tests.e2e.minimal_backend import MinimalBackend
from tests.e2e.node import node_for
from tests.e2e.scenario import SECRET
from tests.e2e.talk import Talk, loud_ms, talk
from tests.local.caller import SDP, known, minted
from tests.local.wire import check_session

pytestmark = pytest.mark.timeout(60)

GREETING = known("first-talk")[0]
TRANSCRIBED = "conversation.item.input_audio_transcription.completed"
PAYLOAD_TYPE = 111  # of Opus, in the offers of both stacks
PAUSE = 3.0  # seconds: more than a turn detection waits for
LEAST_SOUND = 500  # ms, of any answer
CALLS_IN_A_ROW = 8
PERSISTENT = ("--memory", "persistent")
STORY = ["connecting", "listening", "user_speaking", "assistant_speaking", "finalizing", "ended"]
TOLERANCE = 0.1  # of the answer's length
PITCH_TOLERANCE = 2.0  # Hz


@pytest.fixture(autouse=True)
def node_is_there() -> None:
    # A skip out of a task group would be a failure.
    node_for(PROGRAM.parent)


@pytest.mark.row("O5")
@pytest.mark.parametrize("stack", STACKS)
async def test_callers_at_once_are_each_heard_and_answered_in_their_own_way(stack: str) -> None:
    async with local_server() as server, asyncio.TaskGroup() as calls:
        calls.create_task(asks_aloud(server, stack))
        calls.create_task(asks_and_sends_nothing_after(server, stack))
        calls.create_task(types_and_only_listens(server, stack))


@pytest.mark.row("O5")
async def test_libdatachannel_connects_each_time() -> None:
    """It keeps the last fingerprint of an answer: with several of them, one call in six failed."""
    async with local_server() as server:
        for _ in range(CALLS_IN_A_ROW):
            async with dialled(server, "libdatachannel"):
                pass


@pytest.mark.row("A1", "A2")
@pytest.mark.parametrize(("stack", "binary"), [*((stack, False) for stack in STACKS), ("libdatachannel", True)])
async def test_a_talk_with_another_stack_is_heard_and_recorded(stack: str, binary: bool, tmp_path: Path) -> None:
    with MinimalBackend(secret=SECRET) as backend:
        async with foreign_peer(stack) as peer, answering(peer) as url:
            async with asyncio.TaskGroup() as ends:
                ends.create_task(hold_one_turn(peer, binary=binary))
                told = await talk(backend=backend.url, realtime=url, directory=tmp_path, options=PERSISTENT)
            await peer.until(lambda: peer.is_over)
    assert told.status == 0, told.stderr
    assert backend.order() == ["session", "turn", "end"]
    assert [(turn["user_text"], turn["assistant_text"]) for turn in backend.to("turn")] == [(QUESTION, ANSWER.text)]
    assert_tells_the_turn(told)
    assert_has_the_sound_of_the_answer(told.sound)


def assert_tells_the_turn(told: Talk) -> None:
    states = iter(told.states)
    assert all(state in states for state in STORY), told.states
    assert told.finals("user") == [QUESTION]
    assert told.finals("assistant") == [ANSWER.text]
    assert [(turn["outcome"], turn["recorded"]) for turn in told.of("turn")] == [("completed", True)]
    assert (told.summary["turns"], told.summary["exit"], told.summary["transport"]) == (1, 0, "webrtc")


def assert_has_the_sound_of_the_answer(path: Path) -> None:
    assert loud_ms(path) == pytest.approx(ANSWER.audio_ms, rel=TOLERANCE)
    heard = read_wav(path)
    assert strongest_hertz(heard.samples, rate=heard.rate) == pytest.approx(ANSWER_PITCH, abs=PITCH_TOLERANCE)


async def asks_aloud(server: LocalServer, stack: str) -> None:
    """It goes on sending, as a browser does."""
    async with dialled(server, stack) as peer:
        peer.say(np.concatenate([spoken(), silence(round(PAUSE * SAMPLE_RATE))]))
        await heard_out(peer)
        assert [event["transcript"] for event in peer.of(TRANSCRIBED)] == [GREETING.text]
        assert {line["payload_type"] for line in peer.saw("packet")} == {PAYLOAD_TYPE}


async def asks_and_sends_nothing_after(server: LocalServer, stack: str) -> None:
    """Its RTP stops with its words. The channel of its call is opened by number."""
    async with dialled(server, stack, channel_id=0) as peer:
        peer.say(spoken())
        await heard_out(peer)
        assert [event["transcript"] for event in peer.of(TRANSCRIBED)] == [GREETING.text]


async def types_and_only_listens(server: LocalServer, stack: str) -> None:
    """It takes sound and gives none. It names no candidate of its own."""
    async with dialled(server, stack, edit=without_candidates, direction="recvonly") as peer:
        content = [{"type": "input_text", "text": "Thank you very much."}]
        message = {"type": "message", "role": "user", "content": content}
        peer.send({"type": "conversation.item.create", "item": message})
        peer.send({"type": "response.create"})
        await heard_out(peer)


@asynccontextmanager
async def dialled(
    server: LocalServer,
    stack: str,
    *,
    direction: str = "sendrecv",
    channel_id: int | None = None,
    edit: Callable[[str], str] = str,
) -> AsyncIterator[ForeignPeer]:
    """A call whose channel is open. At its end it is hung up from outside, and its events are judged."""
    key = {"Authorization": f"Bearer {KEY}"}
    query = {} if channel_id is None else {"dcid": channel_id}
    async with (
        foreign_peer(stack) as peer,
        httpx.AsyncClient(base_url=f"{server.url}/realtime", headers=key) as http,
    ):
        offer = edit(await peer.offer(direction=direction, channel_id=channel_id))
        secret = {"Authorization": f"Bearer {await minted(http)}"}
        created = await http.post("/calls", params=query, content=offer, headers=SDP | secret)
        assert created.status_code == 201, created.text
        call_id = created.headers["Location"].rpartition("/")[2]
        peer.accept(created.text)
        await peer.until(lambda: peer.of("session.created"))
        yield peer
        assert (await http.post(f"/calls/{call_id}/hangup")).status_code == 200
        await peer.until(lambda: peer.is_over)
        await server.notices_the_end_of(call_id)
        check_session(peer.events)
        assert not peer.saw("event", binary=True)


async def heard_out(peer: ForeignPeer) -> None:
    """Until the answer has been played to its end."""
    await peer.until(lambda: peer.of("output_audio_buffer.stopped"))
    assert [done["response"]["status"] for done in peer.of("response.done")] == ["completed"]
    assert peer.ear.loud_ms > LEAST_SOUND


def spoken() -> NDArray[np.int16]:
    return resample(AudioFrame(GREETING.samples, GREETING.rate), SAMPLE_RATE).samples


def without_candidates(sdp: str) -> str:
    """As from one who says that these were all."""
    bare = re.sub(r"a=(candidate|end-of-candidates).*\r\n", "", sdp)
    return re.sub(r"(a=ice-pwd:.*\r\n)", r"\1a=end-of-candidates\r\n", bare)
