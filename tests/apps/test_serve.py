"""The two ends as servers: ready, of use, and gone when they are told."""

from __future__ import annotations

import asyncio
import json
import signal
import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import httpx
import jwt
import pytest
import websockets

from tests.apps.command import noise, ready, run, started
from tests.e2e.minimal_backend import MinimalBackend
from tests.local.caller import SDP, Caller

pytestmark = pytest.mark.timeout(60)

END = 3.0  # seconds from the signal to the end
SECOND = 0.5  # seconds from the second signal to the end
GOING_AWAY = 1001  # RFC 6455 §7.4.1
SESSION = "/api/voice/realtime/session"
KEY = {"Authorization": "Bearer any"}
HALF = (
    b"POST /v1/realtime/client_secrets HTTP/1.1\r\nHost: localhost\r\n"
    b"Authorization: Bearer k\r\nContent-Length: 9\r\n\r\n{"
)
HANDSHAKE = (
    b"GET /v1/realtime?faults=answer_delay_ms=60000 HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer k\r\n"
    b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)
ITEMS = 8
OWED = 1024 * 1024  # characters of each; twice, since an item is shown twice
INVALID_PAYLOAD = 1007  # RFC 6455 §7.4.1


@pytest.mark.parametrize(
    ("end", "health", "number"),
    [("realtime", "/health", signal.SIGINT), ("backend", "/api/health", signal.SIGTERM)],
    ids=["realtime", "backend"],
)
async def test_a_server_ends_with_0_when_it_is_told(end: str, health: str, number: signal.Signals) -> None:
    async with started("serve", end, "--port", "0") as server:
        url = await ready(server)
        async with httpx.AsyncClient() as http:
            assert (await http.get(url + health)).status_code == 200
            server.send(number)  # with a connection that is kept alive
            ended = await server.ended()
    assert ended.status == 0
    assert ended.stdout == f"ready {url}\n"
    assert ended.seconds < END + noise()


async def test_a_realtime_server_hangs_up_before_it_ends() -> None:
    """The client's channel closes, its WebSocket is told that the server goes away."""
    async with started("serve", "realtime", "--port", "0") as server, httpx.AsyncClient() as http:
        url = await ready(server)
        caller = Caller()
        answer = await http.post(f"{url}/v1/realtime/calls", content=await caller.offer(), headers=KEY | SDP)
        await caller.accept(answer.text)
        await caller.wait_for("session.created")
        place = url.replace("http://", "ws://") + "/v1/realtime"
        async with websockets.connect(place, additional_headers=KEY) as connection:
            await connection.recv()
            server.send(signal.SIGTERM)
            with pytest.raises(websockets.ConnectionClosed):
                await connection.recv()
            assert connection.close_code == GOING_AWAY
        await asyncio.wait_for(caller.closed.wait(), END)
        await caller.close()
        ended = await server.ended()
    assert ended.status == 0
    assert ended.stderr == ""
    assert ended.seconds < END + noise()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda number: number.name)
async def test_a_second_signal_ends_a_server_at_once(number: signal.Signals) -> None:
    async with started("serve", "realtime", "--port", "0") as server:
        url = await ready(server)
        async with deaf(url):  # the server would wait for it
            server.send(signal.SIGTERM)
            await is_ending(url)
            server.send(number)
            ended = await server.ended()
    assert ended.status == -number
    assert ended.seconds < SECOND + noise()


@asynccontextmanager
async def deaf(url: str) -> AsyncIterator[None]:
    """A client that takes nothing, and is owed more than any buffer on the way holds."""
    item = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "x" * OWED}]}
    event = json.dumps({"type": "conversation.item.create", "item": item})
    async with (
        websockets.connect(
            socket_url(url), additional_headers=KEY, compression=None, max_queue=1, max_size=None, close_timeout=0
        ) as connection,
        httpx.AsyncClient() as http,
    ):
        for _ in range(ITEMS):
            await connection.send(event)
        while f'websocket_messages_total{{direction="in"}} {ITEMS}.0' not in (await http.get(f"{url}/metrics")).text:
            pass
        yield


def socket_url(url: str) -> str:
    return url.replace("http://", "ws://") + "/v1/realtime"


async def test_requests_that_wait_are_refused_when_the_server_ends() -> None:
    async with started("serve", "realtime", "--port", "0") as server, httpx.AsyncClient() as http:
        url = await ready(server)
        connections = []
        for request in (HALF, HANDSHAKE):
            reader, writer = await asyncio.open_connection("127.0.0.1", int(url.rpartition(":")[2]))
            writer.write(request)
            await writer.drain()
            connections.append((reader, writer))
        await http.get(f"{url}/health")  # so that the requests above have come
        server.send(signal.SIGTERM)
        for reader, writer in connections:
            answer = await asyncio.wait_for(reader.read(), END + noise())
            writer.close()
            assert answer.startswith(b"HTTP/1.1 503 ")
            assert b"shutting_down" in answer
        ended = await server.ended()
    assert (ended.status, ended.stderr) == (0, "")
    assert ended.seconds < END + noise()


async def test_clients_that_misbehave_cost_one_line_at_most() -> None:
    async with started("serve", "realtime", "--port", "0") as server, httpx.AsyncClient() as http:
        url = await ready(server)
        _, writer = await asyncio.open_connection("127.0.0.1", int(url.rpartition(":")[2]))
        writer.write(HALF)
        await writer.drain()
        writer.transport.abort()
        for query, headers, status in (("", {}, 401), ("?call_id=rtc_1", KEY, 404), ("?faults=status=503", KEY, 503)):
            with pytest.raises(websockets.InvalidStatus) as refused:
                await websockets.connect(socket_url(url) + query, additional_headers=headers)
            assert refused.value.response.status_code == status
        async with websockets.connect(socket_url(url), additional_headers=KEY) as connection:
            await connection.send(b"\xff", text=True)
            await connection.wait_closed()
            assert connection.close_code == INVALID_PAYLOAD
        while (await http.get(f"{url}/health")).json()["sessions"]:
            pass
        server.send(signal.SIGTERM)
        ended = await server.ended()
    (line,) = ended.stderr.splitlines()
    assert line.endswith("uvicorn.error ERROR Invalid UTF-8 sequence received from client.")


async def is_ending(url: str) -> None:
    """Return when the signal has come."""
    async with httpx.AsyncClient() as http:
        with suppress(httpx.TransportError):
            while (await http.get(f"{url}/health")).status_code == 200:
                pass


# Options of the Realtime server


async def test_a_page_that_is_named_may_call_and_the_name_of_another_host_leads_nowhere() -> None:
    options = ("--allow-origin", "https://app.example.org", "--max-sessions", "2", "--session-limit", "60")
    async with started("serve", "realtime", "--port", "0", *options) as server, httpx.AsyncClient() as http:
        url = f"{await ready(server)}/v1/realtime/client_secrets"
        page = await http.post(url, headers=KEY | {"Origin": "https://app.example.org"})
        rebound = await http.post(url, headers=KEY | {"Host": "evil.example"})
    assert page.headers["Access-Control-Allow-Origin"] == "https://app.example.org"
    assert rebound.status_code == 421


@pytest.mark.parametrize(
    ("options", "statuses", "warnings"),
    [
        (
            ("--host", "0.0.0.0"),
            {"kiosk.local": 200},
            ["warning: whoever reaches 0.0.0.0 can use this server: it takes any key; see --api-key"],
        ),
        (
            ("--host", "0.0.0.0", "--api-key", "mine", "--allow-host", "kiosk.local"),
            {"kiosk.local": 200, "evil.example": 421},
            [],
        ),
        (("--allow-host", "kiosk.local"), {"kiosk.local": 200, "localhost": 200, "evil.example": 421}, []),
    ],
    ids=["any", "named", "loopback"],
)
async def test_a_server_for_this_machine_goes_by_its_names_and_one_for_others_without_a_key_warns(
    options: tuple[str, ...], statuses: dict[str, int], warnings: list[str]
) -> None:
    async with started("serve", "realtime", "--port", "0", *options) as server, httpx.AsyncClient() as http:
        url = (await ready(server)).replace("0.0.0.0", "127.0.0.1")
        for host, status in statuses.items():
            assert (await http.get(f"{url}/health", headers={"Host": host})).status_code == status
        server.send(signal.SIGTERM)
        ended = await server.ended()
    assert ended.stderr.splitlines() == warnings


async def test_a_secret_for_one_session_and_the_beta_paths_are_options(tmp_path: Path) -> None:
    faults = tmp_path / "faults.yaml"
    faults.write_text("calls: [{status: 429}]\n", encoding="utf-8")
    options = ("--beta", "--single-use-secrets", "--faults", str(faults))
    async with started("serve", "realtime", "--port", "0", *options) as server, httpx.AsyncClient() as http:
        url = f"{await ready(server)}/v1/realtime"
        secret = (await http.post(f"{url}/sessions", headers=KEY)).json()["client_secret"]["value"]
        statuses = []
        for _ in range(3):
            caller = Caller()
            headers = SDP | {"Authorization": f"Bearer {secret}"}
            statuses.append(
                (await http.post(f"{url}/calls", content=await caller.offer(), headers=headers)).status_code
            )
            await caller.close()
    assert statuses == [429, 201, 401]


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (("--allow-origin", "example.org"), '"example.org" is no origin: write scheme://host'),
        (("--allow-host", "http://kiosk.local"), '"http://kiosk.local" is no host'),
        (("--chat-url", "http://127.0.0.1:1/v1"), "--chat-url and --chat-model need each other"),
        (("--speech-model", "m"), "--speech-url and --speech-model need each other"),
        (("--transcription-url", ""), "--transcription-url and --transcription-model need each other"),
        (("--chat-url", "ftp://a", "--chat-model", "m"), "ftp://a"),
        (("--sherpa-onnx", "/nowhere"), "/nowhere"),
        (("--faults", "/nowhere/faults.yaml"), "/nowhere/faults.yaml"),
        (("--api-key", ""), "the API key is empty: give one, or leave the option out"),
    ],
)
async def test_an_option_that_cannot_be_is_named(options: tuple[str, ...], sentence: str) -> None:
    ended = await run("serve", "realtime", "--port", "0", *options)
    assert ended.status == 2
    assert sentence in ended.error
    assert ended.stdout == ""


@pytest.mark.parametrize(
    "options", [("--max-sessions", "0"), ("--max-sessions", "many"), ("--session-limit", "0"), ("--session-limit", "")]
)
async def test_a_limit_that_is_none_is_refused(options: tuple[str, ...]) -> None:
    ended = await run("serve", "realtime", "--port", "0", *options)
    assert ended.status == 2
    assert options[0] in ended.stderr


async def test_the_realtime_end_hands_out_client_secrets() -> None:
    async with started("serve", "realtime", "--port", "0", "--api-key", "mine") as server, httpx.AsyncClient() as http:
        url = f"{await ready(server)}/v1/realtime/client_secrets"
        body = {"session": {"type": "realtime"}}
        refused = await http.post(url, json=body, headers=KEY)
        minted = await http.post(url, json=body, headers={"Authorization": "Bearer mine"})
    assert (refused.status_code, minted.status_code) == (401, 200)
    assert minted.json()["value"].startswith("ek_")


async def test_the_backend_opens_sessions_with_a_realtime_end_beside_it() -> None:
    async with started("serve", "backend", "--port", "0") as server, httpx.AsyncClient() as http:
        url = await ready(server)
        reply = await http.post(url + SESSION, json={"thread_id": "thread_1"})
        assert reply.status_code == 200
        assert reply.json()["client_secret"].startswith("ek_")
        server.send(signal.SIGTERM)
        ended = await server.ended()
    warning, place = ended.stderr.splitlines()
    assert warning == "warning: this backend asks for no credentials, so it listens to this machine only"
    assert place.startswith("the local Realtime server is at http://127.0.0.1:")


@pytest.mark.row("C4")
@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "kiosk.local"])
async def test_a_backend_without_credentials_is_not_for_other_machines(host: str) -> None:
    ended = await run("serve", "backend", "--host", host, "--port", "0")
    assert (ended.status, ended.stdout) == (2, "")
    assert ended.error.startswith(f"whoever reaches {host} could use this backend")
    assert "--auth jwt" in ended.error


SHARED_KEY = "a shared key of 32 bytes and more"


@pytest.mark.row("C4")
async def test_a_backend_for_other_machines_asks_for_tokens_and_keeps_its_realtime_end_to_this_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("COUCHVOICE_JWT_KEY", SHARED_KEY)
    now = int(time.time())
    token = jwt.encode({"sub": "ada", "aud": "couchvoice", "iat": now, "exp": now + 60}, SHARED_KEY)
    serve = ("serve", "backend", "--host", "0.0.0.0", "--port", "0", "--auth", "jwt")
    async with started(*serve) as server, httpx.AsyncClient() as http:
        url = (await ready(server)).replace("0.0.0.0", "127.0.0.1") + SESSION
        refused = await http.post(url, json={"thread_id": "thread_1"})
        opened = await http.post(url, json={"thread_id": "thread_1"}, headers={"Authorization": f"Bearer {token}"})
        assert (refused.status_code, opened.status_code) == (401, 200)
        assert opened.json()["user_id"] == "ada"
        server.send(signal.SIGTERM)
        ended = await server.ended()
    warning, place = ended.stderr.splitlines()
    assert warning.startswith("warning: what comes to 0.0.0.0 and goes from it is not encrypted")
    assert "TLS proxy" in warning
    assert place.startswith("the local Realtime server is at http://127.0.0.1:")


BAD_GUARDS = [
    ({"COUCHVOICE_AUTH": "jwt"}, "set COUCHVOICE_JWT_KEY or COUCHVOICE_JWKS_URL"),
    ({"COUCHVOICE_AUTH": "jwt", "COUCHVOICE_JWT_KEY": "CANARY"}, "32 bytes"),
    ({"COUCHVOICE_AUTH": "jwt", "COUCHVOICE_JWKS_URL": "https://a.example/keys"}, "set COUCHVOICE_JWT_ISSUER"),
    ({"COUCHVOICE_AUTH": "oauth"}, "none, jwt"),
    ({"COUCHVOICE_ALLOW_ORIGIN": "example.org"}, "is no origin"),
    ({"COUCHVOICE_ALLOW_HOST": "http://kiosk"}, "is no host"),
    ({"COUCHVOICE_SESSION_RATE": "0"}, "session_rate is 0"),
]


@pytest.mark.parametrize(("environ", "message"), BAD_GUARDS)
async def test_guards_that_cannot_guard_do_not_start(
    environ: dict[str, str], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    ended = await run("serve", "backend", "--port", "0")
    assert (ended.status, ended.stdout) == (2, "")
    assert message in ended.error
    assert "CANARY" not in ended.error


@pytest.mark.parametrize("end", ["realtime", "backend"])
async def test_a_port_that_is_taken_is_named(end: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        ended = await run("serve", end, "--port", port)
    assert ended.status == 2
    assert ended.error.startswith(f"cannot listen on 127.0.0.1 port {port}: ")
    assert ended.stdout == ""


async def test_a_host_that_is_not_here_is_named() -> None:
    ended = await run("serve", "realtime", "--host", "192.0.2.1", "--port", "0")
    assert ended.status == 2
    assert "192.0.2.1" in ended.error


BAD_REPLIES = [
    pytest.param("rules:\n  - heard: [Hello]\n    say: [\n", "line 4", id="no-yaml"),
    pytest.param("rules:\n  - heard:\n      - Hello\n    shout: Yes\n", "line 4", id="unknown-key"),
    pytest.param("rules:\n  - heard:\n      - /(/\n    say: Yes\n", "line 3", id="bad-pattern"),
    pytest.param("just a text", "line 1", id="no-rules"),
]


@pytest.mark.parametrize(("contents", "line"), BAD_REPLIES)
async def test_a_bad_file_of_replies_is_named_with_its_line(contents: str, line: str, tmp_path: Path) -> None:
    replies = tmp_path / "replies.yaml"
    replies.write_text(contents, encoding="utf-8")
    ended = await run("serve", "realtime", "--port", "0", "--replies", str(replies))
    assert ended.status == 2
    assert str(replies) in ended.error
    assert line in ended.error


async def test_replies_that_are_not_there_are_named(tmp_path: Path) -> None:
    ended = await run("serve", "realtime", "--port", "0", "--replies", str(tmp_path / "none.yaml"))
    assert ended.status == 2
    assert str(tmp_path / "none.yaml") in ended.error


@pytest.mark.parametrize("folder", ["nowhere", "of-wavs-without-their-texts"])
async def test_a_folder_without_recordings_is_named(folder: str, still: Path) -> None:
    named = still.parent if folder != "nowhere" else still.parent / folder
    ended = await run("serve", "realtime", "--port", "0", "--recordings", str(named))
    assert ended.status == 2
    assert ended.error == f"{named} holds no recording: --recordings names a folder of NAME.wav and NAME.txt"


async def test_a_database_of_no_kind_is_refused() -> None:
    ended = await run("serve", "backend", "--port", "0", "--database", "nonsense")
    assert ended.status == 2
    assert (
        ended.error
        == "the database URL cannot be read: write sqlite+aiosqlite:///FILE or postgresql+asyncpg://USER@HOST/NAME"
    )
    assert ended.stdout == ""


@pytest.mark.row("A1")
async def test_a_talk_across_both_ends_as_processes_of_their_own(hello: Path, tmp_path: Path) -> None:
    async with started("serve", "realtime", "--port", "0", "--recordings", str(tmp_path)) as realtime:
        realtime_url = f"{await ready(realtime)}/v1"
        async with started("serve", "backend", "--port", "0", "--realtime-url", realtime_url) as backend:
            ends = ("--backend", await ready(backend), "--realtime-url", realtime_url, "--memory", "persistent")
            ended = await run("talk", *ends, "--input", str(hello), "--output", "none", "--json")
            backend.send(signal.SIGTERM)
            assert (await backend.ended()).status == 0
        realtime.send(signal.SIGTERM)
        assert (await realtime.ended()).status == 0
    assert ended.status == 0, ended.stdout + ended.stderr
    (turn,) = ended.of("turn")
    assert (turn["user_text"], turn["recorded"]) == (hello.with_suffix(".txt").read_text().strip(), True)
    assert (ended.summary["finalized"], ended.summary["provider"]) == (True, "local")


@pytest.mark.row("J4")
@pytest.mark.parametrize("options", [(), ("--no-finalize",)], ids=["default", "no-finalize"])
async def test_no_finalize_leaves_the_thread_open(
    options: tuple[str, ...], realtime: str, secret: str, still: Path
) -> None:
    with MinimalBackend(secret=secret) as backend:
        ends = ("--backend", backend.url, "--realtime-url", realtime, "--memory", "persistent", "--thread", "thread_7")
        async with started("talk", *ends, "--input", str(still), "--output", "none", "--json", *options) as talking:
            await talking.line_with(type="state", state="listening")
            talking.type("Good morning.")
            await talking.line_with(type="state", state="assistant_speaking")
            talking.send(signal.SIGINT)
            ended = await talking.ended()
    owed = [] if options else ["end"]
    assert backend.order() == ["session", "turn", *owed]
    assert ended.summary["finalized"] is bool(owed)
    assert backend.to("session")[0]["thread_id"] == "thread_7"
