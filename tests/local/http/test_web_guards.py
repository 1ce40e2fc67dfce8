"""Which pages and which names reach the server: CORS, the origin of WebSockets, and the host."""

from __future__ import annotations

import json

import httpx
import pytest
import websockets

from couchvoice.errors import ConfigError
from couchvoice.web_guards import checked_origin
from tests.local.caller import SDP, Caller, served
from tests.local.serving import listening
from tests.local.socket_caller import BEARER

OURS = "https://app.example.org"
LOOPBACK = ["http://localhost", "http://localhost:5173", "http://127.0.0.1:8000", "http://[::1]:3000"]
FOREIGN = [
    "https://evil.example",
    "null",
    "",
    "http://localhost.evil.example",
    "http://localhost:5173.evil.example",
    "http://evil.example/localhost",
    "http://localhost@evil.example",
    "http://127.0.0.1.evil.example:80",
    "http://notlocalhost",
    "https://app.example.org.evil.example",
    "https://app.example.org:8443",
    "http://app.example.org",
    "file://",
]
ASKED = "authorization, content-type, openai-safety-identifier, x-couchvoice-faults, x-stainless-lang"


async def preflight(http: httpx.AsyncClient, origin: str, method: str = "POST") -> httpx.Response:
    asked = {"Access-Control-Request-Method": method, "Access-Control-Request-Headers": ASKED}
    return await http.options("/calls", headers=asked | {"Origin": origin, "Authorization": ""})


@pytest.mark.row("O5")
@pytest.mark.parametrize("origin", [*LOOPBACK, OURS])
async def test_a_page_that_may_call_reads_the_answer_and_its_place(origin: str) -> None:
    caller = Caller()
    async with served(allowed_origins=[OURS]) as http:
        allowed = await preflight(http, origin)
        assert allowed.status_code == 200
        assert allowed.headers["Access-Control-Allow-Origin"] == origin
        assert set(ASKED.split(", ")) <= set(allowed.headers["Access-Control-Allow-Headers"].lower().split(", "))
        answer = await http.post("/calls", content=await caller.offer(), headers=SDP | {"Origin": origin})
    await caller.close()
    assert answer.status_code == 201
    assert answer.headers["Access-Control-Allow-Origin"] == origin
    assert "Location" in answer.headers["Access-Control-Expose-Headers"]
    assert "Access-Control-Allow-Credentials" not in answer.headers


@pytest.mark.parametrize("origin", FOREIGN)
async def test_another_page_is_not_told_that_it_may(origin: str) -> None:
    async with served(allowed_origins=[OURS]) as http:
        refused = await preflight(http, origin)
        answer = await http.post("/client_secrets", headers={"Origin": origin})
    assert refused.status_code == 400
    assert refused.json()["error"]["code"] == "cors_not_allowed"
    assert "origin" in refused.json()["error"]["message"]
    assert int(refused.headers["Content-Length"]) == len(refused.content)
    for response in (refused, answer):
        assert "Access-Control-Allow-Origin" not in response.headers


async def test_any_page_may_when_its_owner_says_so_but_without_credentials() -> None:
    async with served(allowed_origins=["*"]) as http:
        for response in (await preflight(http, FOREIGN[0]), await http.post("/calls", headers={"Origin": FOREIGN[0]})):
            assert response.headers["Access-Control-Allow-Origin"] == "*"
            assert "Access-Control-Allow-Credentials" not in response.headers


async def test_a_page_can_read_why_it_was_refused() -> None:
    async with served() as http:
        refused = await http.post("/calls", headers={"Origin": LOOPBACK[1], "Authorization": ""})
    assert refused.status_code == 401
    assert refused.headers["Access-Control-Allow-Origin"] == LOOPBACK[1]


@pytest.mark.parametrize("method", ["PUT", "PATCH"])
async def test_a_method_that_no_path_has_is_refused_beforehand(method: str) -> None:
    async with served() as http:
        refused = await preflight(http, LOOPBACK[0], method)
    assert refused.status_code == 400
    assert "method" in refused.json()["error"]["message"]


# Before a WebSocket


async def handshake(place: str, **headers: str) -> tuple[int, str | None]:
    """The status, and the code of the error."""
    connecting = websockets.connect(f"ws://{place}/v1/realtime", additional_headers=BEARER | headers)
    try:
        async with connecting as connection:
            assert json.loads(await connection.recv())["type"] == "session.created"
            return 101, None
    except websockets.InvalidStatus as refused:
        return refused.response.status_code, json.loads(refused.response.body)["error"]["code"]


@pytest.mark.row("O6")
async def test_a_page_of_another_site_opens_no_websocket() -> None:
    async with listening(allowed_origins=[OURS]) as place:
        for origin in FOREIGN:
            assert await handshake(place, Origin=origin) == (403, "origin_not_allowed"), origin
        for origin in (*LOOPBACK, OURS):
            assert await handshake(place, Origin=origin) == (101, None), origin
        assert await handshake(place) == (101, None)


async def test_any_page_opens_a_websocket_when_its_owner_says_so() -> None:
    async with listening(allowed_origins=["*"]) as place:
        assert await handshake(place, Origin=FOREIGN[0]) == (101, None)


# The name of the server

NAMES = ["localhost", "127.0.0.1", "::1", "Kiosk.local"]


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:8766", "127.0.0.1:80", "[::1]", "[::1]:8766", "kiosk.local"])
async def test_the_server_answers_to_its_names(host: str) -> None:
    async with served(allowed_hosts=NAMES) as http:
        assert (await http.get("http://localhost/health", headers={"Host": host})).status_code == 200


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "localhost.evil.example",
        "",
        "localhost@evil.example",
        "evil.example@localhost",
        "localhost/",
        "[",
        "::1",
        "127.0.0.1.nip.io",
        "0.0.0.0",
    ],
)
async def test_a_name_that_only_points_here_is_refused(host: str) -> None:
    async with served(allowed_hosts=NAMES) as http:
        for path in ("/health", "/metrics", "/v1/realtime/calls"):
            response = await http.get(f"http://localhost{path}", headers={"Host": host})
            assert response.status_code == 421
            assert response.json()["error"]["code"] == "unknown_host"


async def test_a_name_that_only_points_here_opens_no_websocket() -> None:
    async with listening(allowed_hosts=NAMES) as place:
        assert await handshake(place) == (101, None)
        url = f"ws://evil.example:{place.rpartition(':')[2]}/v1/realtime"
        with pytest.raises(websockets.InvalidStatus) as refused:
            await websockets.connect(url, host="127.0.0.1", additional_headers=BEARER)
    assert refused.value.response.status_code == 421


# What an owner may say


@pytest.mark.parametrize(
    ("said", "origin"),
    [
        ("https://App.example.org", OURS),
        ("https://app.example.org:443", OURS),
        ("http://10.0.0.1:80", "http://10.0.0.1"),
        ("http://10.0.0.1:8080", "http://10.0.0.1:8080"),
        ("http://[fd00::1]:81", "http://[fd00::1]:81"),
        ("*", "*"),
    ],
)
def test_an_origin_is_taken_as_browsers_write_it(said: str, origin: str) -> None:
    assert checked_origin(said) == origin


@pytest.mark.parametrize("said", ["", "example.org", "https://", "https://a/", "https://a/b", "https://*.a", "a b"])
def test_what_is_no_origin_is_refused(said: str) -> None:
    with pytest.raises(ConfigError, match="is no origin: write scheme://host"):
        checked_origin(said)


@pytest.mark.parametrize("said", ["", "http://kiosk.local", "kiosk.local/", "a b", "a@b", "*"])
async def test_what_is_no_host_is_refused(said: str) -> None:
    with pytest.raises(ConfigError, match="is no host: write a name"):
        async with served(allowed_hosts=[said]):
            raise AssertionError("it must not start")
