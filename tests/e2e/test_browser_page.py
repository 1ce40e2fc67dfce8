"""The page of the examples, in Chromium, against the local server."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import numpy as np
import pytest

from tests.apps.command import ROOT, started
from tests.audio.tones import wav_bytes
from tests.e2e.chromium import WAIT, chromium_page
from tests.e2e.local_server import KEY, LocalServer, local_server, write_spoken
from tests.local.caller import known
from tests.local.wire import Event, check_session

if TYPE_CHECKING:
    from playwright.async_api import Page

pytestmark = pytest.mark.timeout(60)

EXAMPLE = ROOT / "examples" / "browser"
RATE = 48_000  # Hz
LEAD = 2.0  # seconds of silence, in which the page connects
ANSWERED = [
    "you: Is memory on for this conversation?",
    "assistant: One moment.",
    "assistant: This page keeps nothing.",
]
THANKED = ["you: Thank you very much.", "assistant: You are welcome."]
AUDIBLE = 0.01  # of full scale, 1
LEAST_ENERGY = 1e-3  # of full scale in a second: a whisper

_INBOUND = "[...(await peer.getStats()).values()].find(({ type }) => type === 'inbound-rtp')"
_ENERGY = f"async () => {_INBOUND}?.totalAudioEnergy ?? 0"
_UNTIL_AUDIBLE = f"""async () => {{
  while (!({_INBOUND}?.audioLevel > {AUDIBLE})) await new Promise(requestAnimationFrame);
}}"""


@pytest.mark.row("O5")
async def test_a_page_asks_aloud_calls_its_tool_types_and_hangs_up(tmp_path: Path) -> None:
    microphone = write_spoken(known("first-talk")[1], tmp_path / "microphone.wav", rate=RATE, lead=LEAD)
    async with local_server() as server, served_page(server) as url, chromium_page(microphone) as page:
        await page.goto(url)
        offer, call_id = await start(page)
        # Chromium names its candidates later, to nobody: the server finds it all the same.
        assert "a=candidate" not in offer
        await until_state(page, "connected")
        assert await energy(page) < LEAST_ENERGY
        async with asyncio.timeout(WAIT):
            await page.evaluate(_UNTIL_AUDIBLE)
        assert await page.evaluate("!page.speaker.paused")
        await heard_out(page, answers=2)
        assert await transcript(page) == ANSWERED
        asked = await energy(page)
        assert asked > LEAST_ENERGY

        await page.fill("#text", "Thank you very much.")
        await page.press("#text", "Enter")
        await heard_out(page, answers=3)
        assert await transcript(page) == ANSWERED + THANKED
        assert await energy(page) > asked + LEAST_ENERGY

        await page.click("#end")
        await until_state(page, "you hung up")
        await server.notices_the_end_of(call_id)
        events = await seen(page)
    check_session(events)
    assert [event["type"] for event in events if event["type"].startswith("output_audio_buffer.")] == [
        *["output_audio_buffer.started", "output_audio_buffer.stopped"] * 3
    ]


@pytest.mark.row("O5")
async def test_a_page_is_hung_up_on_and_calls_again(tmp_path: Path) -> None:
    microphone = tmp_path / "microphone.wav"
    microphone.write_bytes(wav_bytes(np.zeros(RATE), rate=RATE))
    async with local_server() as server, served_page(server) as url, chromium_page(microphone) as page:
        await page.goto(url)
        for _ in range(2):
            _, call_id = await start(page)
            await until_state(page, "connected")
            await hang_up(server, call_id)
            await until_state(page, "the other end hung up")
        first, second = await seen(page)
    assert first["type"] == second["type"] == "session.created"


def test_the_page_has_at_most_100_lines() -> None:
    files = (EXAMPLE / "index.html", EXAMPLE / "talk.js")
    assert sum(len(file.read_text(encoding="utf-8").splitlines()) for file in files) <= 100


async def start(page: Page) -> tuple[str, str]:
    """Begin a call: its offer, and its id."""
    async with page.expect_response("**/realtime/calls") as exchange:
        await page.click("#start")
    response = await exchange.value
    assert response.status == 201
    return response.request.post_data or "", response.headers["location"].rpartition("/")[2]


async def hang_up(server: LocalServer, call_id: str) -> None:
    headers = {"Authorization": f"Bearer {KEY}"}
    async with httpx.AsyncClient() as http:
        (await http.post(f"{server.url}/realtime/calls/{call_id}/hangup", headers=headers)).raise_for_status()


async def until_state(page: Page, state: str) -> None:
    await page.wait_for_function(f"page.state.value === {json.dumps(state)}")


async def heard_out(page: Page, *, answers: int) -> None:
    """Until so many answers have been played to their ends."""
    await page.wait_for_function(f"page.events.textContent.split('output_audio_buffer.stopped').length > {answers}")


async def transcript(page: Page) -> list[str]:
    return await page.locator("#transcript li").all_text_contents()


async def energy(page: Page) -> float:
    """Of all that the page has received."""
    return float(await page.evaluate(_ENERGY))


async def seen(page: Page) -> list[Event]:
    """All events of the server, in order."""
    return [json.loads(line) for line in (await page.locator("#events").text_content() or "").splitlines()]


@asynccontextmanager
async def served_page(server: LocalServer) -> AsyncIterator[str]:
    """Its URL, of another origin than the server's."""
    program = (sys.executable, str(EXAMPLE / "serve.py"))
    async with started(server.url, before=program, environment={"REALTIME_API_KEY": KEY}) as command:
        line = await command.line()
        assert line.startswith("open "), command.stderr()
        yield line.split()[1]
