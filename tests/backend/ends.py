"""The backend's neighbours for its tests: a small provider, and a client that speaks to the whole application."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from http import HTTPStatus
from pathlib import Path
from typing import Any

import httpx
from fastapi import FastAPI
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from couchvoice.backend import SqlStore, create_app
from couchvoice.backend.providers import Credential, OpenAIProvider, OpenAISettings, ProviderSetup, Upstream
from couchvoice.backend.providers.credential import KeyValue
from couchvoice.backend.refusals import Refused
from couchvoice.backend.store import Store, Turn
from couchvoice.contract import CONFIG_PATH, END_PATH, SESSION_PATH, SESSION_TOKEN_HEADER, TOOLS_PATH, TURN_PATH
from couchvoice.private import Private

API_KEY = "sk-CANARY-0123456789abcdef"
ANSWER = "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n"
PROVIDER_URL = "http://127.0.0.1:9999/v1"


class ProviderEnd:
    """The endpoints of a provider: client_secrets, calls. Set ``reply`` to make it answer something else."""

    def __init__(self, base: str = "/v1") -> None:
        self.requests: list[tuple[Mapping[str, str], dict[str, Any]]] = []
        self.reply: Response | None = None
        self.app = Starlette(
            routes=[
                Route(f"{base}/realtime/client_secrets", self._mint, methods=["POST"]),
                Route(f"{base}/realtime/calls", self._answer, methods=["POST"]),
            ]
        )

    async def _answer(self, _: Request) -> Response:
        return Response(ANSWER, HTTPStatus.CREATED, media_type="application/sdp")

    async def _mint(self, request: Request) -> Response:
        body = await request.json()
        self.requests.append((request.headers, body))
        if self.reply is not None:
            return self.reply
        expires_at = int(time.time()) + body["expires_after"]["seconds"]
        return JSONResponse({"value": f"ek_{len(self.requests)}", "expires_at": expires_at, "session": {}})


class BackendEnd:
    """The real application over a real SQLite file, spoken to in process."""

    def __init__(self, app: FastAPI, provider: ProviderEnd, data: Path) -> None:
        self.app = app
        self.provider = provider
        self.data = data
        self.database = data / "backend.db"
        self.http = httpx.AsyncClient(
            transport=httpx.ASGITransport(app, raise_app_exceptions=False), base_url="http://127.0.0.1"
        )

    async def session(self, thread_id: str = "t1", **fields: Any) -> httpx.Response:
        return await self.post(SESSION_PATH, {"thread_id": thread_id, **fields})

    async def tool(
        self, tool_name: str, thread_id: str = "t1", *, token: str | None = None, **fields: Any
    ) -> httpx.Response:
        return await self.post(TOOLS_PATH, {"thread_id": thread_id, "tool_name": tool_name, **fields}, token=token)

    async def turn(self, thread_id: str = "t1", *, token: str | None = None, **fields: Any) -> httpx.Response:
        return await self.post(TURN_PATH, {"thread_id": thread_id, **fields}, token=token)

    async def end(self, thread_id: str = "t1", *, token: str | None = None, **fields: Any) -> httpx.Response:
        return await self.post(END_PATH, {"thread_id": thread_id, **fields}, token=token)

    async def config(self, thread_id: str = "t1", *, token: str | None = None, **fields: Any) -> httpx.Response:
        return await self.post(CONFIG_PATH, {"thread_id": thread_id, **fields}, token=token)

    async def post(self, path: str, body: dict[str, Any], *, token: str | None = None) -> httpx.Response:
        return await self.http.post(path, json=body, headers={SESSION_TOKEN_HEADER: token} if token else {})

    def bytes_on_disk(self) -> bytes:
        return b"".join(path.read_bytes() for path in self.data.parent.rglob("*") if path.is_file())


class Names:
    """A token is the name of its user."""

    async def subject(self, token: str) -> str:
        if not token.isalpha():
            raise Refused(HTTPStatus.UNAUTHORIZED, "token_invalid", "no name")
        return token

    async def close(self) -> None:
        pass


@asynccontextmanager
async def running_backend(data: Path, *, store: Store | None = None, **options: Any) -> AsyncIterator[BackendEnd]:
    """``data`` is the directory that the database would be made in; it does not exist yet."""
    provider_end = ProviderEnd()
    provider = options.pop("provider", None) or openai_like("local", transport=httpx.ASGITransport(provider_end.app))
    store = store or SqlStore(f"sqlite+aiosqlite:///{data / 'backend.db'}")
    app = create_app(store=store, provider=provider, **options)
    async with app.router.lifespan_context(app):
        backend = BackendEnd(app, provider_end, data)
        async with backend.http:
            yield backend


def openai_like(
    name: str,
    base_url: str = PROVIDER_URL,
    key: str | Credential = API_KEY,
    *,
    transport: httpx.AsyncBaseTransport | None = None,
    secret_lifetime: int = 300,
) -> OpenAIProvider:
    """Without ``transport``: over real sockets."""
    return OpenAIProvider(
        ProviderSetup(
            name=name,
            settings=OpenAISettings(base_url=base_url),
            credential=KeyValue(Private(key)) if isinstance(key, str) else key,
            upstream=Upstream(name, transport=transport),
            secret_lifetime=secret_lifetime,
        )
    )


def error_code(response: httpx.Response) -> str:
    """The code of an error body, which must have its one shape."""
    body = response.json()
    assert body.keys() == {"detail"}
    assert body["detail"].keys() == {"code", "message"}
    return str(body["detail"]["code"])


def any_turn(user_text: str = "hello", **fields: Any) -> Turn:
    usual: dict[str, Any] = {
        "thread_id": "t",
        "owner": "t",
        "guest": False,
        "session_id": None,
        "client_turn_id": None,
        "fingerprint": "",
        "channel": "voice",
        "transcript_kept": True,
        "user_text": user_text,
        "assistant_text": "",
        "heard_text": None,
        "outcome": "completed",
        "route": "therapeutic",
        "response_style": None,
        "tool_calls": [],
        "grounded_lookup": None,
        "timings": {},
        "diagnostics": {},
    }
    return Turn(**(usual | fields))
