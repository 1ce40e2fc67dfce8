"""The gateway: secrets and SDP answers for clients of other products, and no request to an address of theirs."""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import socket
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from aiortc import RTCPeerConnection
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from couchvoice.backend.gateway import GATEWAY_PATH, OFFER_PATH
from couchvoice.backend.guards import Guards
from couchvoice.embedded import EngineOptions, ServerOptions, running_realtime_app
from couchvoice.session_settings import SessionSettings
from tests.backend.ends import (
    API_KEY,
    PROVIDER_URL,
    BackendEnd,
    Names,
    ProviderEnd,
    error_code,
    openai_like,
    running_backend,
)

# What goes out of this process: an audit hook cannot be taken away, so it asks whether somebody wants to know.
_sockets: list[str] | None = None


def _listen(event: str, arguments: tuple[object, ...]) -> None:
    if _sockets is not None and event in ("socket.connect", "socket.getaddrinfo", "socket.gethostbyname"):
        _sockets.append(f"{event} {arguments[-1] if event == 'socket.connect' else arguments[0]}")


sys.addaudithook(_listen)


@contextlib.contextmanager
def sockets_seen() -> Iterator[list[str]]:
    global _sockets
    _sockets = seen = []
    try:
        yield seen
    finally:
        _sockets = None


@pytest.mark.row("C2")
async def test_a_secret_comes_with_all_that_its_client_needs(backend: BackendEnd) -> None:
    response = await backend.post(GATEWAY_PATH, {"model": "m-1", "voice": "verse", "modalities": ["audio", "text"]})
    assert response.status_code == 200
    reply = response.json()
    assert reply["enabled"] is True
    session = reply["session"]
    assert session["client_secret"].keys() == {"value", "expires_at"}
    assert session["client_secret"]["value"] == "ek_1"
    assert (session["model"], session["voice"], session["modalities"]) == ("m-1", "verse", ["audio"])
    assert session["calls_url"] == f"{PROVIDER_URL}/realtime/calls"
    headers, body = backend.provider.requests[0]
    assert body["session"]["model"] == "m-1"
    assert body["session"]["output_modalities"] == ["audio"]
    assert not {"instructions", "tools"} & body["session"].keys()
    assert len(headers["openai-safety-identifier"]) == 64


@pytest.mark.row("C2")
async def test_whatever_is_left_out_is_as_the_settings_have_it(tmp_path: Path) -> None:
    async with running_backend(tmp_path / "state", session=SessionSettings(model="m-2", voice="sage")) as backend:
        session = (await backend.post(GATEWAY_PATH, {"modalities": ["text"]})).json()["session"]
    assert (session["model"], session["voice"], session["modalities"]) == ("m-2", "sage", ["text"])


@pytest.mark.row("C2", "C6")
async def test_while_it_is_switched_off_nobody_is_asked(tmp_path: Path) -> None:
    async with running_backend(tmp_path / "state", enabled=False) as backend:
        gateway = await backend.post(GATEWAY_PATH, {})
        others = [
            await backend.session(),
            await backend.post(OFFER_PATH, {"sdp": "v=0"}),
            await backend.post("/api/voice/realtime-session", {}),
        ]
        assert backend.provider.requests == []
    assert gateway.status_code == 503
    assert gateway.json()["enabled"] is False
    assert gateway.json()["detail"]["code"] == "realtime_unavailable"
    assert [(other.status_code, error_code(other)) for other in others] == [(503, "realtime_unavailable")] * 3


@pytest.mark.row("C2", "C6", "A8")
async def test_without_a_key_each_path_says_so_in_its_own_way(tmp_path: Path) -> None:
    async with running_backend(tmp_path / "state", provider=openai_like("openai", key="")) as backend:
        with sockets_seen() as seen:
            gateway = await backend.post(GATEWAY_PATH, {})
            offer = await backend.post(OFFER_PATH, {"sdp": "v=0"})
            session = await backend.session()
            voice_assist = await backend.post("/api/voice/realtime-session", {})
    assert gateway.status_code == 400
    assert gateway.json()["detail"]["message"] == "API key is not configured"
    assert (offer.status_code, error_code(offer)) == (404, "credentials_not_found")
    assert (session.status_code, error_code(session)) == (503, "realtime_unavailable")
    assert "local provider" in session.json()["detail"]["message"]
    assert (voice_assist.status_code, error_code(voice_assist)) == (503, "realtime_unavailable")
    assert seen == []


@pytest.mark.row("C2")
@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"voice": "nova"}, "unsupported_voice"),
        ({"modalities": ["video"]}, "unsupported_modalities"),
        ({"modalities": []}, "invalid_request"),
        ({"model": ""}, "invalid_request"),
        ({"model": "a b"}, "invalid_request"),
        ({"instructions": "obey me"}, "invalid_request"),
        ({"endpoint": 7}, "invalid_request"),
    ],
    ids=str,
)
async def test_what_cannot_be_is_refused(backend: BackendEnd, body: dict[str, Any], code: str) -> None:
    response = await backend.post(GATEWAY_PATH, body)
    assert (response.status_code, error_code(response)) == (422, code)
    assert backend.provider.requests == []


@pytest.mark.row("C2")
@pytest.mark.parametrize(("status", "code"), [(401, "upstream_auth_failed"), (429, "upstream_error")])
async def test_an_upstream_failure_is_mapped_and_not_passed_on(
    backend: BackendEnd, caplog: pytest.LogCaptureFixture, status: int, code: str
) -> None:
    caplog.set_level(logging.DEBUG)
    backend.provider.reply = PlainTextResponse(f"upstream says {API_KEY}", status)
    response = await backend.post(GATEWAY_PATH, {})
    assert (response.status_code, error_code(response)) == (502, code)
    for leak in (API_KEY, "upstream says"):
        assert leak not in response.text + caplog.text


# Addresses that somebody sends in place of a name


def addresses(port: int) -> list[str]:
    loopback = [
        "127.0.0.1",
        "localhost",
        "127.1",
        "0x7f.1",
        "2130706433",
        "0177.0.0.1",
        "0",
        "[::1]",
        "[::ffff:127.0.0.1]",
    ]
    loopback += ["127.0.0.1.nip.io", "LOCALHOST", "localhost.", "127.000.000.001", "[::ffff:7f00:1]", "①②⑦.⓪.⓪.①"]
    inside = ["169.254.169.254", "metadata.google.internal", "10.0.0.1", "192.168.0.1", "172.16.0.1", "100.100.100.200"]
    inside += ["[fd00:ec2::254]", "0xa9fea9fe", "2852039166", "169.254.169.254.xip.io", "xn--localhost-.example"]
    hosts = [*loopback, *inside, "api.openai.com.evil.example", "evil.example", "evil.example#api.openai.com"]
    ends = ["", f":{port}", f":{port}/v1", f":{port}/v1/realtime"]
    urls = [f"{scheme}://{host}{end}" for scheme in ("http", "https", "ws") for host in hosts for end in ends]
    odd = [
        *(f"http://local@{host}:{port}/" for host in loopback),
        *(f"http://{host}:{port}/?local" for host in loopback),
        f"//127.0.0.1:{port}",
        f"http:127.0.0.1:{port}",
        f"gopher://127.0.0.1:{port}/_GET",
        "file:///etc/passwd",
        "data:,x",
        f"local\r\nHost: 127.0.0.1:{port}",
        f"local@127.0.0.1:{port}",
        f"local.127.0.0.1:{port}",
        "../local",
        "local/",
        "local\0",
        " local",
        "LOCAL",
        "\N{FULLWIDTH LATIN SMALL LETTER L}ocal",
        "",
        "openai",
        "__class__",
    ]
    return [*urls, *odd]


@pytest.fixture
def canary() -> Iterator[socket.socket]:
    """A listener that nobody may come to."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setblocking(False)
        yield listener


@pytest.mark.row("C10")
async def test_no_address_that_a_caller_sends_is_asked_for_anything(
    tmp_path: Path, canary: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    port = canary.getsockname()[1]
    for variable in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.setenv(variable, f"http://127.0.0.1:{port}")
    # Over real sockets, to a provider where nobody listens: the last request shows what the spy would see.
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        nobody = closed.getsockname()[1]
        provider = openai_like("local", f"http://127.0.0.1:{nobody}/v1")
        async with running_backend(tmp_path / "state", provider=provider) as backend:
            payloads = addresses(port)
            assert len(payloads) >= 250
            with sockets_seen() as seen:
                for payload in payloads:
                    response = await backend.post(GATEWAY_PATH, {"endpoint": payload})
                    assert (response.status_code, error_code(response)) == (400, "endpoint_not_allowed"), payload
                    assert len(payload) < len("local/ ") or payload not in response.text
                assert seen == []
                allowed = await backend.post(GATEWAY_PATH, {"endpoint": "local"})
                assert (allowed.status_code, error_code(allowed)) == (503, "realtime_unavailable")
                assert {call for call in seen if call.startswith("socket.connect")} == {
                    f"socket.connect ('127.0.0.1', {nobody})"
                }
    with pytest.raises(BlockingIOError):
        canary.accept()


@pytest.mark.row("C10")
async def test_a_redirect_of_the_provider_is_not_followed(backend: BackendEnd, canary: socket.socket) -> None:
    backend.provider.reply = Response(
        status_code=307, headers={"location": f"http://127.0.0.1:{canary.getsockname()[1]}/"}
    )
    with sockets_seen() as seen:
        response = await backend.post(GATEWAY_PATH, {})
    assert (response.status_code, error_code(response)) == (502, "upstream_error")
    assert seen == []


@pytest.mark.row("C10")
async def test_a_caller_chooses_among_the_endpoints_of_the_settings(tmp_path: Path) -> None:
    first, second = ProviderEnd(), ProviderEnd()
    chosen = openai_like("local", transport=httpx.ASGITransport(first.app))
    other = openai_like("eu", transport=httpx.ASGITransport(second.app))
    async with running_backend(
        tmp_path / "state", provider=chosen, endpoints={"local": chosen, "eu": other}
    ) as backend:
        assert (await backend.post(GATEWAY_PATH, {"endpoint": "eu"})).json()["session"]["provider"] == "eu"
        assert (await backend.post(GATEWAY_PATH, {})).json()["session"]["provider"] == "local"
    assert (len(first.requests), len(second.requests)) == (1, 1)


# Offers


class CallsEnd:
    """The calls endpoint of a provider that answers what it is told to."""

    def __init__(self, reply: Response) -> None:
        self.authorization: list[str] = []
        self._reply = reply
        self.app = Starlette(routes=[Route("/v1/realtime/calls", self._answer, methods=["POST"])])

    async def _answer(self, request: Request) -> Response:
        self.authorization.append(request.headers["authorization"])
        return self._reply


@pytest.mark.row("A8")
@pytest.mark.parametrize(
    ("reply", "code"),
    [
        (PlainTextResponse(API_KEY, 401), "upstream_auth_failed"),
        (PlainTextResponse(API_KEY, 403), "upstream_auth_failed"),
        (PlainTextResponse(API_KEY, 500), "upstream_error"),
        (PlainTextResponse(API_KEY, 404), "upstream_error"),
        (PlainTextResponse(API_KEY, 201), "upstream_error"),
        (PlainTextResponse("", 201), "empty_answer"),
        (PlainTextResponse(" \r\n", 200), "empty_answer"),
    ],
)
async def test_an_offer_that_is_not_answered_says_whose_fault_it_is(tmp_path: Path, reply: Response, code: str) -> None:
    end = CallsEnd(reply)
    provider = openai_like("local", transport=httpx.ASGITransport(end.app))
    async with running_backend(tmp_path / "state", provider=provider) as backend:
        response = await backend.post(OFFER_PATH, {"sdp": "v=0\r\n"})
    assert (response.status_code, error_code(response)) == (502, code)
    assert API_KEY not in response.text
    assert end.authorization == [f"Bearer {API_KEY}"]


@pytest.mark.row("A8")
async def test_an_offer_to_a_provider_that_cannot_be_reached(tmp_path: Path) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        provider = openai_like("local", f"http://127.0.0.1:{closed.getsockname()[1]}/v1")
        async with running_backend(tmp_path / "state", provider=provider) as backend:
            response = await backend.post(OFFER_PATH, {"sdp": "v=0\r\n"})
    assert (response.status_code, error_code(response)) == (502, "upstream_unreachable")


@pytest.fixture
async def offering() -> AsyncIterator[RTCPeerConnection]:
    peer = RTCPeerConnection()
    peer.createDataChannel("oai-events")
    peer.addTransceiver("audio", direction="sendrecv")
    await peer.setLocalDescription(await peer.createOffer())
    yield peer
    await peer.close()


@pytest.mark.row("A8")
@pytest.mark.parametrize("key", [API_KEY, "sk-wrong"])
async def test_the_local_server_answers_an_offer_that_comes_through_the_backend(
    tmp_path: Path, offering: RTCPeerConnection, key: str
) -> None:
    async with (
        running_realtime_app(EngineOptions(phrases=False), ServerOptions(api_key=API_KEY)) as realtime,
        realtime.asgi.router.lifespan_context(realtime.asgi),
    ):
        provider = openai_like("local", key=key, transport=httpx.ASGITransport(realtime.asgi))
        async with running_backend(tmp_path / "state", provider=provider) as backend:
            response = await backend.post(OFFER_PATH, {"sdp": offering.localDescription.sdp, "model": "m-1"})
    if key != API_KEY:
        assert (response.status_code, error_code(response)) == (502, "upstream_auth_failed")
        return
    assert response.status_code == 200
    answer = response.json()["sdp"]
    for line in ("v=0", "m=audio", "m=application", "opus/48000", "a=fingerprint:", "a=candidate:"):
        assert line in answer


@pytest.mark.row("C8")
async def test_the_local_server_records_for_whom_a_session_is_and_never_their_name(
    tmp_path: Path, offering: RTCPeerConnection, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "couchvoice.local")
    async with (
        running_realtime_app(EngineOptions(phrases=False), ServerOptions(api_key=API_KEY)) as realtime,
        realtime.asgi.router.lifespan_context(realtime.asgi),
        httpx.AsyncClient(transport=httpx.ASGITransport(realtime.asgi)) as client,
    ):
        provider = openai_like("local", transport=httpx.ASGITransport(realtime.asgi))
        async with running_backend(tmp_path / "state", provider=provider) as backend:
            for who in ({"thread_id": "thread-of-nobody"}, {"thread_id": "t1", "user_id": "ada.lovelace"}):
                reply = (await backend.session(**who)).json()
                answer = await client.post(
                    reply["calls_url"],
                    content=offering.localDescription.sdp,
                    headers={"Authorization": f"Bearer {reply['client_secret']}", "Content-Type": "application/sdp"},
                )
                assert answer.status_code == 201
    told = "".join(record.getMessage() for record in caplog.records if record.levelno > logging.DEBUG)
    for name in ("thread-of-nobody", "ada.lovelace"):
        identifier = hashlib.sha256(name.encode()).hexdigest()
        assert f"for safety identifier {identifier}" in caplog.text
        assert name not in caplog.text
        assert identifier not in told  # it has no key: whoever tries names finds them


# VoiceAssist


@pytest.mark.row("P23")
async def test_voice_assist_gets_its_fields_and_never_the_key(backend: BackendEnd) -> None:
    response = await backend.post(
        "/api/voice/realtime-session",
        {"conversation_id": "c1", "voice": "ash", "language": "de", "vad_sensitivity": 100, "silence_duration_ms": 300},
    )
    assert response.status_code == 200
    reply = response.json()
    assert reply["url"] == "ws://127.0.0.1:9999/v1/realtime"
    assert reply["model"] == "gpt-realtime-2.1"
    assert reply["conversation_id"] == "c1"
    assert reply["auth"] == {"type": "ephemeral_token", "token": "ek_1", "expires_at": reply["expires_at"]}
    assert reply["voice_config"] == {
        "voice": "ash",
        "modalities": ["text", "audio"],
        "input_audio_format": "pcm16",
        "output_audio_format": "pcm16",
        "input_audio_transcription": {"model": "gpt-transcribe", "language": "de"},
        "turn_detection": {
            "type": "server_vad",
            "threshold": 0.1,
            "prefix_padding_ms": 300,
            "silence_duration_ms": 300,
            "create_response": True,
            "interrupt_response": True,
        },
    }
    assert reply["session_id"].startswith("rtc_")
    assert API_KEY not in response.text
    bound = backend.provider.requests[0][1]["session"]
    assert bound["tools"] == []
    assert "wait_for_user" not in json.dumps(bound)
    assert "lookup_crisis_resources" not in json.dumps(bound)


@pytest.mark.row("P23", "D7")
async def test_a_conversation_of_voice_assist_goes_on_for_its_owner_only(tmp_path: Path) -> None:
    async with running_backend(tmp_path / "state", guards=Guards(authentication=Names())) as backend:
        ada, eve = ({"Authorization": f"Bearer {name}"} for name in ("ada", "eve"))
        opened = await backend.http.post(
            "/api/voice/realtime/session", json={"thread_id": "c1", "memory_mode": "persistent"}, headers=ada
        )
        await backend.http.post(
            "/api/voice/realtime/turn",
            json={"thread_id": "c1", "memory_mode": "persistent", "user_text": "My zebra is ill."},
            headers=ada | {"X-Couchvoice-Session": opened.json()["session_token"]},
        )
        told = await backend.http.post("/api/voice/realtime-session", json={"conversation_id": "c1"}, headers=ada)
        foreign = await backend.http.post("/api/voice/realtime-session", json={"conversation_id": "c1"}, headers=eve)
        nobody = await backend.http.post("/api/voice/realtime-session", json={"conversation_id": "c1"})
    assert told.status_code == 200
    assert "My zebra is ill." in backend.provider.requests[1][1]["session"]["instructions"]
    assert (foreign.status_code, nobody.status_code) == (404, 401)
    assert len(backend.provider.requests) == 2


@pytest.mark.row("P23")
async def test_a_conversation_that_is_not_named_begins_and_keeps_nothing(backend: BackendEnd) -> None:
    replies = [(await backend.post("/api/voice/realtime-session", {})).json() for _ in range(2)]
    assert replies[0]["conversation_id"] != replies[1]["conversation_id"]
    assert not backend.data.exists()
    backend.provider.reply = PlainTextResponse(API_KEY, 500)
    failed = await backend.post("/api/voice/realtime-session", {})
    assert (failed.status_code, error_code(failed)) == (500, "voice_realtime_session_failed")
    assert API_KEY not in failed.text
