"""Offers of other stacks than aiortc: their audio lines, their channels, their candidates."""

from __future__ import annotations

import re

import httpx
import pytest

from tests.local.caller import Caller, calling, known, minted, served
from tests.patience import until

GREETING = known("first-talk")[0]
TRANSCRIBED = "conversation.item.input_audio_transcription.completed"


def without_candidates(sdp: str) -> str:
    """As from who can name none of his own, and says that these were all."""
    return re.sub(r"a=candidate.*\r\n", "", sdp)


@pytest.mark.row("O5")
async def test_an_offer_whose_candidates_are_at_an_end_is_answered_with_candidates() -> None:
    async with served() as http, calling(http, edit=without_candidates) as caller:
        caller.send("session.update", session={"type": "realtime", "instructions": "x"})
        await caller.wait_for("session.updated")


async def test_a_certificate_is_named_once() -> None:
    """libdatachannel compares the last fingerprint with the SHA-256 that it computes."""
    async with served() as http:
        caller = Caller()
        answer = (await caller.call(http, await minted(http))).text
        assert set(re.findall(r"a=fingerprint:(\S+)", answer)) == {"sha-256"}
        await caller.close()


@pytest.mark.row("O5")
@pytest.mark.parametrize("number", [0, 7])
async def test_a_channel_that_both_ends_open_by_number_carries_the_events(number: int) -> None:
    async with served() as http:
        caller = Caller(channel_id=number)
        response = await caller.call(http, await minted(http), query=f"?dcid={number}")
        await caller.accept(response.text)
        caller.say(GREETING)
        assert (await caller.wait_for(TRANSCRIBED))["transcript"] == GREETING.text
        await caller.close()


@pytest.mark.parametrize("number", ["abc", "-1", "65535", "", "1.0"])
async def test_a_channel_has_a_number_that_a_channel_can_have(number: str) -> None:
    async with served() as http:
        headers = {"Content-Type": "application/sdp"}
        refused = await http.post(f"/calls?dcid={number}", content="v=0", headers=headers)
        assert (refused.status_code, refused.json()["error"]["param"]) == (400, "dcid")


@pytest.mark.row("O5")
@pytest.mark.parametrize(
    "directions",
    [
        ("sendrecv",),
        ("inactive", "sendrecv"),
        ("sendonly", "recvonly"),
        ("recvonly", "sendonly"),
        ("recvonly", "sendrecv"),
    ],
)
async def test_whichever_lines_carry_the_sound_both_are_heard(directions: tuple[str, ...]) -> None:
    async with served() as http:
        caller = await dialled(http, directions)
        caller.say(GREETING)
        assert (await caller.wait_for(TRANSCRIBED))["transcript"] == GREETING.text
        await until(lambda: caller.loud_ms >= 200)
        await caller.close()


async def test_who_only_listens_hears_what_was_typed_answered() -> None:
    async with served() as http:
        caller = await dialled(http, ("recvonly",))
        content = [{"type": "input_text", "text": "Thank you very much."}]
        caller.send("conversation.item.create", item={"type": "message", "role": "user", "content": content})
        caller.send("response.create")
        await until(lambda: caller.loud_ms >= 200)
        await caller.close()


async def test_who_only_speaks_is_answered_in_words() -> None:
    async with served() as http:
        caller = await dialled(http, ("sendonly",))
        caller.say(GREETING)
        await caller.wait_for("response.done")
        assert not caller.of("output_audio_buffer.started")
        await caller.close()


async def test_an_offer_without_a_channel_is_refused_with_a_reason() -> None:
    async with served() as http:
        caller = Caller()
        offer = re.sub(r"m=application.*", "", await caller.offer(), flags=re.DOTALL)
        refused = await http.post("/calls", content=offer, headers={"Content-Type": "application/sdp"})
        assert refused.json()["error"]["message"] == "The offer has no data channel."
        await caller.close()


async def dialled(http: httpx.AsyncClient, directions: tuple[str, ...]) -> Caller:
    caller = Caller(directions=directions)
    response = await caller.call(http, await minted(http))
    await caller.accept(response.text)
    await caller.wait_for("session.created")
    return caller
