"""Backends as processes on one database: killed between the commit and the answer, and two of them at once."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx
import jwt
import pytest

from couchvoice.backend import SqlStore
from couchvoice.backend.store import KeptTurn
from couchvoice.client.backend import HttpBackend
from couchvoice.client.recorder import Recorder
from couchvoice.contract import HISTORY, SESSION_PATH, SESSION_TOKEN_HEADER, THREADS_PATH, TURN_PATH, SessionRequest
from couchvoice.core.notices import Notice, TurnRecorded
from couchvoice.core.turn import FinishedTurn, Outcome
from couchvoice.transports.http import HttpClient
from tests.apps.command import ready, started
from tests.apps.serving import HOST, serving
from tests.backend.ends import ProviderEnd

pytestmark = pytest.mark.timeout(60)

THREAD, USER = "t1", "ada"
SHARED_KEY = "a shared key of 32 bytes and more"
TURNS = 24
CHUNK = 65_536  # bytes


class Way:
    """The client's way to a backend. It can end with an answer that nobody gets, and lead to another one later."""

    def __init__(self) -> None:
        self.cut = asyncio.Event()
        self._target = ("", 0)
        self._leads_somewhere = asyncio.Event()
        self._kill: Callable[[], None] | None = None

    def lead_to(self, url: str) -> None:
        host, _, port = url.removeprefix("http://").partition(":")
        self._target = (host, int(port))
        self._leads_somewhere.set()

    def kill_at_answer(self, kill: Callable[[], None]) -> None:
        """The next answer is the last thing that this backend does."""
        self._kill = kill

    async def carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection."""
        await self._leads_somewhere.wait()
        answers, requests = await asyncio.open_connection(*self._target)
        ways = {asyncio.create_task(self._there(reader, requests)), asyncio.create_task(self._back(answers, writer))}
        _, other = await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        for way in other:
            way.cancel()
        await asyncio.gather(*ways, return_exceptions=True)
        writer.close()
        requests.close()

    async def _there(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while chunk := await reader.read(CHUNK):
            writer.write(chunk)

    async def _back(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while chunk := await reader.read(CHUNK):
            if self._kill is not None:
                self._kill()
                self._kill = None
                self._leads_somewhere.clear()
                self.cut.set()
                return
            writer.write(chunk)


@contextlib.asynccontextmanager
async def open_way() -> AsyncIterator[tuple[Way, str]]:
    way = Way()
    async with await asyncio.start_server(way.carry, HOST, 0) as server:
        yield way, f"http://{HOST}:{server.sockets[0].getsockname()[1]}"


@contextlib.asynccontextmanager
async def provider() -> AsyncIterator[str]:
    """Its base URL: a backend that has one starts no Realtime server of its own."""
    async with serving(ProviderEnd().app) as place:
        yield f"{place}/v1"


def serve(database_url: str, realtime_url: str, *options: str) -> tuple[str, ...]:
    return ("serve", "backend", "--port", "0", "--database", database_url, "--realtime-url", realtime_url, *options)


def turn(index: int) -> FinishedTurn:
    return FinishedTurn(
        index=index,
        client_turn_id=f"c{index}",
        user_text=f"question {index}",
        assistant_text=f"answer {index}",
        tool_calls=(),
        outcome=Outcome.COMPLETED,
        timings={},
    )


async def kept(database_url: str) -> list[KeptTurn]:
    store = SqlStore(database_url)
    try:
        return await store.turns.history(THREAD, owner=USER, after=0, limit=2 * TURNS)
    finally:
        await store.close()


@pytest.mark.row("I4")
async def test_a_turn_is_kept_once_when_its_backend_was_killed_before_it_could_answer(database_url: str) -> None:
    told: list[Notice] = []
    request = SessionRequest(thread_id=THREAD, user_id=USER, memory_mode="persistent")
    async with provider() as realtime_url, open_way() as (way, url), HttpClient(url) as http:
        client = HttpBackend(url, request, http=http)
        recorder = Recorder(client, told.append)
        async with started(*serve(database_url, realtime_url)) as first:
            way.lead_to(await ready(first))
            await client.open_session()
            assert (await client.record_turn(turn(1))).message_count == 2
            way.kill_at_answer(first.process.kill)
            recording = asyncio.create_task(recorder.run())
            recorder.put(turn(2))
            await way.cut.wait()
            assert await first.process.wait() == -signal.SIGKILL
        assert [each.turn.client_turn_id for each in await kept(database_url)] == ["c1", "c2"]
        assert told == []  # the client knows nothing of it

        async with started(*serve(database_url, realtime_url)) as second:
            way.lead_to(await ready(second))
            recorder.put(turn(3))
            await recorder.drain()
            assert told == [TurnRecorded(turn(index), recorded=True, accepted=True) for index in (2, 3)]
            assert [(await client.record_turn(turn(index))).message_count for index in (1, 2, 3)] == [2, 4, 6]
        recording.cancel()
        await asyncio.gather(recording, return_exceptions=True)
    numbered = [(each.number, each.turn.client_turn_id) for each in await kept(database_url)]
    assert numbered == [(1, "c1"), (2, "c2"), (3, "c3")]


@pytest.mark.row("I8")
@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
async def test_two_processes_on_one_database_number_the_turns_of_a_thread_together(database_url: str) -> None:
    now = int(time.time())
    bearer = jwt.encode({"sub": USER, "aud": "couchvoice", "iat": now, "exp": now + 600}, SHARED_KEY)
    key = {"COUCHVOICE_JWT_KEY": SHARED_KEY}
    async with (
        provider() as realtime_url,
        started(*serve(database_url, realtime_url, "--auth", "jwt"), environment=key) as one,
        started(*serve(database_url, realtime_url, "--auth", "jwt"), environment=key) as other,
        httpx.AsyncClient(headers={"Authorization": f"Bearer {bearer}"}) as http,
    ):
        urls = [await ready(one), await ready(other)]
        thread = {"thread_id": THREAD, "memory_mode": "persistent"}
        opened = (await http.post(urls[0] + SESSION_PATH, json=thread)).raise_for_status().json()
        token = {SESSION_TOKEN_HEADER: opened["session_token"]}

        async def post(number: int, url: str) -> dict[str, Any]:
            said = {"user_text": f"question {number}", "client_turn_id": f"c{number}"}
            reply: dict[str, Any] = (
                (await http.post(url + TURN_PATH, json=thread | said, headers=token)).raise_for_status().json()
            )
            return reply

        # Each turn at both, at the same time: one keeps it, the other one finds it.
        replies = await asyncio.gather(*(post(number, url) for number in range(TURNS) for url in urls))
        histories = [
            (await http.get(f"{url}{THREADS_PATH}/{THREAD}/{HISTORY}", params={"limit": TURNS}))
            .raise_for_status()
            .json()
            for url in urls
        ]
    assert all(reply["recorded"] for reply in replies)
    counts = [reply["message_count"] for reply in replies]
    assert counts[::2] == counts[1::2]
    assert sorted(counts[::2]) == list(range(1, TURNS + 1))
    assert histories[0] == histories[1]
    kept_there = histories[0]["turns"]
    assert [each["number"] for each in kept_there] == list(range(1, TURNS + 1))
    assert {each["messages"][0]["content"] for each in kept_there} == {f"question {n}" for n in range(TURNS)}
