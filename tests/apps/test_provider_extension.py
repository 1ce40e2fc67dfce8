"""A provider of another package: built, installed and talked to, as its users would; and Azure, at our own server.

The local server is the provider, behind an ear that writes down what its clients send.
"""

from __future__ import annotations

import asyncio
import os
import re
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send

from couchvoice.backend.providers.catalog import open_providers
from couchvoice.endpoint_settings import variable
from couchvoice.errors import ConfigError
from couchvoice.local.http.app import RealtimeApp
from couchvoice.local.server_options import ServerOptions
from couchvoice.settings import load_settings
from tests.apps.command import ROOT, Ended, started
from tests.local.caller import engines
from tests.patience import until

pytestmark = pytest.mark.timeout(90)

KEY = "sk-CANARY-of-the-provider"


class Ear:
    """ASGI middleware: paths, headers and bodies of what was posted."""

    def __init__(self, app: ASGIApp) -> None:
        self.posted: list[tuple[str, dict[str, str], bytes]] = []
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            headers = {name.decode(): value.decode() for name, value in scope["headers"]}
            body = b""

            async def heard() -> dict[str, object]:
                nonlocal body
                message = await receive()
                body += message.get("body", b"")
                if not message.get("more_body"):
                    self.posted.append((scope["path"], headers, body))
                return dict(message)

            await self._app(scope, heard, send)
        else:
            await self._app(scope, receive, send)


@asynccontextmanager
async def overheard(**options: object) -> AsyncIterator[tuple[str, Ear]]:
    """The local server on a port: where it is, and what is posted there. ``options`` are those of ServerOptions."""
    ear = Ear(RealtimeApp(engines(), ServerOptions(api_key=KEY, **options)).asgi)  # type: ignore[arg-type]
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = uvicorn.Server(uvicorn.Config(ear, log_level="warning", lifespan="on"))
        serving = asyncio.create_task(server.serve(sockets=[listener]), name="uvicorn")
        await until(lambda: server.started)
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}", ear
        finally:
            server.should_exit = True
            await serving


async def typed_talk(*options: str, environment: dict[str, str]) -> Ended:
    async with started("talk", "--text", "--json", *options, environment=environment) as command:
        assert command.process.stdin is not None  # a pipe, as started
        command.process.stdin.write(b"Is memory on?\n")
        command.process.stdin.close()
        ended = await command.ended()
    assert KEY not in ended.stdout + ended.stderr
    return ended


def offer(ear: Ear) -> tuple[str, dict[str, str], str]:
    ((path, headers, body),) = [posted for posted in ear.posted if posted[0].endswith("/realtime/calls")]
    return path, headers, body.decode()


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The example's distribution, in a folder of its own."""
    folder = tmp_path_factory.mktemp("site")
    subprocess.run(
        [
            *(sys.executable, "-m", "pip", "install", "--quiet", "--no-index", "--no-deps", "--no-build-isolation"),
            *("--disable-pip-version-check", "--target", str(folder), str(ROOT / "examples" / "provider")),
        ],
        check=True,
    )
    return folder


@pytest.mark.row("O1")
async def test_a_provider_of_another_package_holds_a_talk_and_the_client_does_as_it_wants(installed: Path) -> None:
    async with overheard(beta=True) as (url, ear):
        ended = await typed_talk(
            *("--provider", "legacy"),
            environment={
                "PYTHONPATH": str(installed),
                "COUCHVOICE_ENDPOINT_LEGACY_API_KEY": KEY,
                "COUCHVOICE_ENDPOINT_LEGACY_BASE_URL": f"{url}/v1",
            },
        )
    assert ended.status == 0, ended.stderr
    assert ended.summary["provider"] == "legacy"
    assert ended.of("turn")[0]["tool_calls"] == ["show_memory_status"]
    assert [path for path, _, _ in ear.posted] == ["/v1/realtime/sessions", "/v1/realtime/calls"]
    assert ear.posted[0][1]["api-key"] == KEY
    _, headers, sdp = offer(ear)
    assert headers["api-key"].startswith("ek_")
    assert "authorization" not in headers
    assert "PCMU/8000" in sdp
    assert "opus" not in sdp


@pytest.mark.row("O1", "O2")
@pytest.mark.parametrize(
    ("field", "value", "sentence"),
    [
        ("codec", "mp3", "codec: input should be 'opus', 'pcmu' or 'pcma'"),
        ("colour", "red", "colour: extra inputs are not permitted; known: base_url, codec"),
    ],
)
def test_settings_that_its_schema_does_not_take_are_refused_by_name(
    installed: Path, monkeypatch: pytest.MonkeyPatch, field: str, value: str, sentence: str
) -> None:
    monkeypatch.syspath_prepend(str(installed))
    settings = load_settings({"provider": "legacy"}, environ={variable("legacy", field): value}, file=Path(os.devnull))
    with pytest.raises(ConfigError, match=re.escape(sentence)):
        open_providers(settings)


@pytest.mark.row("O1")
def test_a_package_that_is_not_there_is_named() -> None:
    with pytest.raises(ConfigError, match="choose one of local, openai, azure"):
        load_settings({"provider": "legacy"}, environ={}, file=Path(os.devnull))


@pytest.mark.row("O1")
async def test_azure_is_spoken_to_at_its_paths_and_in_its_words() -> None:
    async with overheard() as (url, ear):
        ended = await typed_talk(
            *("--provider", "azure"),
            environment={
                "AZURE_OPENAI_API_KEY": KEY,
                "AZURE_PROJECT_ENDPOINT": f"{url}/models",
                "AZURE_REALTIME_DEPLOYMENT": "my-deployment",
            },
        )
    assert ended.status == 0, ended.stderr
    assert [path for path, _, _ in ear.posted] == [
        "/openai/v1/realtime/client_secrets",
        "/openai/v1/realtime/calls",
    ]
    minted = ear.posted[0]
    assert minted[1]["api-key"] == KEY
    assert "authorization" not in minted[1]
    assert b'"model":"my-deployment"' in minted[2].replace(b'": "', b'":"')
    _, headers, sdp = offer(ear)
    assert headers["authorization"].startswith("Bearer ek_")
    assert "opus/48000" in sdp
