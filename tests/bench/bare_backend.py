"""The baseline of the backend: FastAPI and uvicorn with the database's own driver, on the same paths.

It mints a secret and writes down the session, answers a tool, and records a turn in a transaction that locks its
thread and numbers it. No tokens, no limits, no checks beyond the types. Law: it shares no code with couchvoice.
"""

from __future__ import annotations

import asyncio
import json
import secrets
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Protocol

import aiosqlite
import asyncpg
import httpx
import uvicorn
from fastapi import FastAPI
from pydantic import BaseModel

from tests.patience import until

TABLES = (
    "CREATE TABLE IF NOT EXISTS bare_threads (id TEXT PRIMARY KEY, owner TEXT, turn_count INTEGER)",
    "CREATE TABLE IF NOT EXISTS bare_sessions (id TEXT PRIMARY KEY, thread_id TEXT, user_id TEXT)",
    "CREATE TABLE IF NOT EXISTS bare_turns (thread_id TEXT, number INTEGER, client_turn_id TEXT, user_text TEXT,"
    " assistant_text TEXT, tool_calls TEXT, timings TEXT, PRIMARY KEY (thread_id, number),"
    " UNIQUE (thread_id, client_turn_id))",
)
LOCK = "SELECT turn_count FROM bare_threads WHERE id = $1"
BEGIN_THREAD = "INSERT INTO bare_threads VALUES ($1, $2, $3)"
COUNT = "UPDATE bare_threads SET turn_count = $2 WHERE id = $1"
RECORD = "INSERT INTO bare_turns VALUES ($1, $2, $3, $4, $5, $6, $7)"
KEEP = "INSERT INTO bare_sessions VALUES ($1, $2, $3)"


class Session(BaseModel):
    thread_id: str
    user_id: str
    memory_mode: str


class Tool(BaseModel):
    thread_id: str
    user_id: str
    tool_name: str
    arguments: dict[str, Any] = {}


class Turn(BaseModel):
    thread_id: str
    user_id: str
    client_turn_id: str
    user_text: str
    assistant_text: str
    tool_calls: list[dict[str, Any]] = []
    timings: dict[str, Any] = {}


class Database(Protocol):
    async def open(self) -> None: ...

    async def keep(self, session: Session) -> None: ...

    async def record(self, turn: Turn) -> int: ...

    async def close(self) -> None: ...


def _row(turn: Turn, number: int) -> tuple[Any, ...]:
    texts = (turn.client_turn_id, turn.user_text, turn.assistant_text)
    return (turn.thread_id, number, *texts, json.dumps(turn.tool_calls), json.dumps(turn.timings))


class Sqlite:
    """One connection, as SQLite has one writer."""

    def __init__(self, file: str) -> None:
        self._file = file
        self._alone = asyncio.Lock()
        self._connection: aiosqlite.Connection

    async def open(self) -> None:
        self._connection = await aiosqlite.connect(self._file, isolation_level=None)
        for table in TABLES:
            await self._connection.execute(table)

    async def keep(self, session: Session) -> None:
        async with self._alone:
            await self._run(KEEP, secrets.token_hex(16), session.thread_id, session.user_id)

    async def record(self, turn: Turn) -> int:
        async with self._alone:
            await self._run("BEGIN IMMEDIATE")
            found = await (await self._run(LOCK, turn.thread_id)).fetchone()
            number = 1 + (found[0] if found else 0)
            if found:
                await self._run(COUNT, turn.thread_id, number)
            else:
                await self._run(BEGIN_THREAD, turn.thread_id, turn.user_id, number)
            await self._run(RECORD, *_row(turn, number))
            await self._run("COMMIT")
            return 2 * number

    async def close(self) -> None:
        await self._connection.close()

    async def _run(self, statement: str, *values: object) -> aiosqlite.Cursor:
        return await self._connection.execute(statement.replace("$", "?"), values)


class Postgres:
    def __init__(self, url: str) -> None:
        self._url = url
        self._pool: asyncpg.Pool

    async def open(self) -> None:
        self._pool = await asyncpg.create_pool(self._url, min_size=5, max_size=15)
        for table in TABLES:
            await self._pool.execute(table)

    async def keep(self, session: Session) -> None:
        await self._pool.execute(KEEP, secrets.token_hex(16), session.thread_id, session.user_id)

    async def record(self, turn: Turn) -> int:
        async with self._pool.acquire() as connection, connection.transaction():
            found = await connection.fetchval(f"{LOCK} FOR UPDATE", turn.thread_id)
            number = 1 + (found or 0)
            if found is None:
                await connection.execute(BEGIN_THREAD, turn.thread_id, turn.user_id, number)
            else:
                await connection.execute(COUNT, turn.thread_id, number)
            await connection.execute(RECORD, *_row(turn, number))
            return 2 * number

    async def close(self) -> None:
        await self._pool.close()


def new_app(database: Database, provider_url: str) -> FastAPI:
    http = httpx.AsyncClient()

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        await database.open()
        yield
        await http.aclose()
        await database.close()

    app = FastAPI(lifespan=lifespan)

    @app.post("/api/voice/realtime/session")
    async def session(request: Session) -> dict[str, Any]:
        config = {"session": {"type": "realtime", "instructions": "Answer in one sentence."}}
        answer = await http.post(f"{provider_url}/realtime/client_secrets", json=config)
        await database.keep(request)
        return {"client_secret": answer.json()["value"], "session_config": config["session"]}

    @app.post("/api/voice/realtime/tools")
    async def tools(request: Tool) -> dict[str, Any]:
        return {"output": {"response_text": "", "should_respond": False, "side_effect": "none"}}

    @app.post("/api/voice/realtime/turn")
    async def turn(request: Turn) -> dict[str, Any]:
        count = await database.record(request)
        return {"recorded": True, "thread_id": request.thread_id, "message_count": count}

    return app


async def main(database: str, provider_url: str) -> None:
    """Serve until stdin ends."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP) as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(128)
        app = new_app(Postgres(database) if "://" in database else Sqlite(database), provider_url)
        server = uvicorn.Server(uvicorn.Config(app, log_level="warning", access_log=False))
        async with asyncio.TaskGroup() as tasks:
            serving = tasks.create_task(server.serve(sockets=[listener]), name="serve")
            await until(lambda: server.started or serving.done())
            print(f"ready http://127.0.0.1:{listener.getsockname()[1]}", flush=True)
            await asyncio.to_thread(sys.stdin.read)
            server.should_exit = True


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
