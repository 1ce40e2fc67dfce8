"""The HTTP side: secrets, offers, hangups; and each refusal in OpenAI's error shape."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from openai.types.realtime import ClientSecretCreateResponse
from pydantic import TypeAdapter

import couchvoice
from couchvoice.local.http.call_routes import MAX_OFFER
from tests.local.caller import KEY, SDP, Caller, calling, minted, served

CANARY = "sk-canary-1f0c"
EXAMPLES = 150
MEGABYTE = 2**20
PLACES = st.integers(0, 1000)


@pytest.fixture
async def http() -> AsyncIterator[httpx.AsyncClient]:
    async with served() as client:
        yield client


def error_of(response: httpx.Response, status: int) -> dict[str, Any]:
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/json"
    assert set(response.json()) == {"error"}
    error: dict[str, Any] = response.json()["error"]
    assert set(error) == {"message", "type", "code", "param"}
    assert error["type"] == "invalid_request_error"
    assert error["message"]
    return error


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


@pytest.fixture(scope="module")
def offer() -> str:
    """One for all; nobody takes its answer."""

    async def make() -> str:
        caller = Caller()
        try:
            return await caller.offer()
        finally:
            await caller.close()

    return asyncio.run(make())


# Client secrets


@pytest.mark.row("C3", "O5")
async def test_a_secret_comes_with_its_whole_session(http: httpx.AsyncClient) -> None:
    config = {"type": "realtime", "model": "mine", "audio": {"output": {"voice": "ash"}}}
    response = await http.post("/client_secrets", json={"session": config})
    body = response.json()
    TypeAdapter(ClientSecretCreateResponse).validate_python(body, strict=True)
    assert body["value"].startswith("ek_")
    assert (body["session"]["model"], body["session"]["audio"]["output"]["voice"]) == ("mine", "ash")
    assert body["session"]["audio"]["input"]["turn_detection"]["type"] == "server_vad"
    assert body["session"]["expires_at"] == body["expires_at"]


@pytest.mark.row("C3")
@pytest.mark.parametrize(
    ("body", "seconds"),
    [
        (b"", 600),
        (b"{}", 600),
        (b'{"expires_after": {"anchor": "created_at"}}', 600),
        (b'{"expires_after": {"anchor": "created_at", "seconds": 10}}', 10),
        (b'{"expires_after": {"seconds": 7200}}', 7200),
    ],
)
async def test_a_secret_lives_as_long_as_was_asked(body: bytes, seconds: int) -> None:
    async with served(clock=lambda: 1000.0) as http:
        response = await http.post("/client_secrets", content=body)
    assert response.json()["expires_at"] == 1000 + seconds


@pytest.mark.parametrize(
    ("body", "code", "param"),
    [
        (b"{", "invalid_json", None),
        (b"\xff", "invalid_json", None),
        (b"[" * 100_000, "invalid_json", None),
        (b'{"session": {"instructions": "\\ud800"}}', "invalid_json", None),
        (b"[]", "invalid_type", None),
        (b'{"expires_after": 600}', "invalid_type", "expires_after"),
        (b'{"expires_after": {"seconds": 9}}', "invalid_value", "expires_after.seconds"),
        (b'{"expires_after": {"seconds": 7201}}', "invalid_value", "expires_after.seconds"),
        (b'{"expires_after": {"seconds": true}}', "invalid_type", "expires_after.seconds"),
        (b'{"expires_after": {"seconds": 60.5}}', "invalid_type", "expires_after.seconds"),
        (b'{"expires_after": {"anchor": "now"}}', "invalid_value", "expires_after.anchor"),
        (b'{"session": null}', "invalid_type", "session"),
        (b'{"session": {"type": "translation"}}', "invalid_value", "session.type"),
        (b'{"session": {"voice": "ash"}}', "unknown_parameter", "session.voice"),
        (b'{"session": {"audio": {"output": {"speed": 2}}}}', "invalid_value", "session.audio.output.speed"),
        (b'{"ttl": 1}', "unknown_parameter", "ttl"),
        (b'{"session": {"instructions": "' + b"x" * MEGABYTE + b'"}}', "body_too_large", None),
    ],
)
async def test_a_secret_that_cannot_be_made_is_refused(
    http: httpx.AsyncClient, body: bytes, code: str, param: str | None
) -> None:
    error = error_of(await http.post("/client_secrets", content=body), 400)
    assert (error["code"], error["param"]) == (code, param)


# Who may call


@pytest.mark.row("C3", "A2")
async def test_an_expired_secret_is_refused(offer: str) -> None:
    now = 1000.0
    async with served(clock=lambda: now) as http:
        secret = await minted(http)
        now += 599.9
        assert (await http.post("/calls", content=offer, headers=SDP | bearer(secret))).status_code == 201
        now += 0.2
        for path in ("/calls", "/calls/rtc_1/hangup"):
            error = error_of(await http.post(path, content=offer, headers=SDP | bearer(secret)), 401)
            assert error["code"] == "invalid_api_key"


@pytest.mark.row("C3")
@pytest.mark.parametrize("authorization", ["", "Bearer", "Bearer ", "Basic c2stMQ==", "Bearer ek_nobody"])
@pytest.mark.parametrize("path", ["/client_secrets", "/calls", "/calls/rtc_1/hangup"])
async def test_who_has_no_key_is_refused(http: httpx.AsyncClient, offer: str, authorization: str, path: str) -> None:
    response = await http.post(path, content=offer, headers=SDP | {"Authorization": authorization})
    assert error_of(response, 401)["code"] == "invalid_api_key"


@pytest.mark.row("C3")
async def test_the_one_key_mints_and_is_seen_nowhere(offer: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(0)
    async with served(api_key=CANARY) as http:
        for token in (KEY, "", CANARY[:-1]):
            response = await http.post("/client_secrets", headers=bearer(token))
            assert error_of(response, 401)["code"] == "invalid_api_key"
            assert CANARY not in response.text
        made = await http.post("/client_secrets", headers=bearer(CANARY))
        assert CANARY not in made.text
        secret = made.json()["value"]
        assert (await http.post("/client_secrets", headers=bearer(secret))).status_code == 401
        called = await http.post("/calls", content=offer, headers=SDP | bearer(secret))
        assert called.status_code == 201
    assert CANARY not in caplog.text
    assert secret not in caplog.text


async def test_a_secret_cannot_be_used_for_another_model() -> None:
    async with served() as http:
        secret = await minted(http, {"model": "bound"})
        for token, model in ((secret, "bound"), (KEY, "asked")):
            caller = Caller()
            headers = SDP | bearer(token)
            response = await http.post("/calls?model=asked", content=await caller.offer(), headers=headers)
            await caller.accept(response.text)
            assert (await caller.wait_for("session.created"))["session"]["model"] == model
            await caller.close()


# Offers


@pytest.mark.row("A1", "A2", "O5")
async def test_an_offer_is_answered_with_sdp_and_the_place_of_the_call(offer: str) -> None:
    async with served() as http:
        headers = {"Content-Type": "Application/SDP; charset=utf-8"}
        response = await http.post("/calls", content=offer, headers=headers)
    assert response.status_code == 201
    assert response.headers["content-type"] == "application/sdp"
    assert response.headers["location"].startswith("/v1/realtime/calls/rtc_")
    assert response.text.startswith("v=0\r\n")
    assert "a=candidate" in response.text


@pytest.mark.parametrize("content_type", ["application/json", "text/plain", "", "multipart/mixed; boundary=x"])
async def test_another_content_type_is_refused(http: httpx.AsyncClient, offer: str, content_type: str) -> None:
    response = await http.post("/calls", content=offer, headers={"Content-Type": content_type})
    assert error_of(response, 415)["code"] == "unsupported_content_type"


def form(**parts: str) -> dict[str, Any]:
    """What httpx makes a multipart body of, without file names, as the openai package does."""
    types = {"sdp": "application/sdp", "session": "application/json"}
    return {"files": {name: (None, text, types.get(name, "text/plain")) for name, text in parts.items()}}


@pytest.mark.row("A2", "O5")
@pytest.mark.parametrize("holds_secret", [False, True])
async def test_an_offer_may_bring_its_session(holds_secret: bool) -> None:
    """What a secret was minted with stays."""
    session = '{"type": "realtime", "instructions": "\u00e9", "audio": {"output": {"voice": "ash"}}}'
    async with served() as http:
        token = await minted(http, {"instructions": "bound"}) if holds_secret else KEY
        caller = Caller()
        body = form(sdp=await caller.offer(), session=session)
        response = await http.post("/calls", headers=bearer(token), **body)
        assert response.status_code == 201
        await caller.accept(response.text)
        shown = (await caller.wait_for("session.created"))["session"]
        assert shown["audio"]["output"]["voice"] == "ash"
        assert shown["instructions"] == ("bound" if holds_secret else "\u00e9")
        await caller.close()


NESTED = b"".join(b"--x\r\nContent-Type: multipart/form-data; boundary=x%d\r\n\r\n" % depth for depth in range(4000))


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "invalid_form"),
        (b"\x00\xff" * 1000, "invalid_form"),
        (b"--x\r\n\r\nv=0\r\n--x--\r\n", "invalid_form"),
        (NESTED, "invalid_form"),
        (b'--x\r\nContent-Disposition: form-data; name="session"\r\n\r\n{}\r\n--x--', "missing_required_parameter"),
        (b'--x\r\nContent-Disposition: form-data; name="sdp"\r\n\r\nv=0\r\n--x--', "invalid_offer"),
        (b"x" * (MEGABYTE + MAX_OFFER + 1), "body_too_large"),
    ],
    ids=lambda value: repr(value[:40]),
)
async def test_a_form_that_is_no_offer_is_refused(http: httpx.AsyncClient, body: bytes, code: str) -> None:
    response = await http.post("/calls", content=body, headers={"Content-Type": "multipart/form-data; boundary=x"})
    assert error_of(response, 400)["code"] == code


@pytest.mark.parametrize(("session", "code"), [("{", "invalid_json"), ('{"voice": "ash"}', "unknown_parameter")])
async def test_an_offer_with_a_session_that_is_none_is_refused(
    http: httpx.AsyncClient, offer: str, session: str, code: str
) -> None:
    assert error_of(await http.post("/calls", **form(sdp=offer, session=session)), 400)["code"] == code


@pytest.mark.row("O6")
async def test_azures_paths_and_key_lead_to_the_same_server(offer: str) -> None:
    async with served(api_key=CANARY) as http:
        base, headers = "http://localhost/openai/v1/realtime", {"api-key": CANARY, "Authorization": ""}
        secret = (await http.post(f"{base}/client_secrets", headers=headers)).json()["value"]
        called = await http.post(f"{base}/calls", content=offer, headers=SDP | bearer(secret))
        assert called.status_code == 201
        place = called.headers["location"]
        assert place.startswith("/openai/v1/realtime/calls/rtc_")
        assert (await http.post(f"http://localhost{place}/hangup", headers=headers)).status_code == 200
        refused = await http.post(f"{base}/client_secrets", headers={"api-key": "wrong", "Authorization": ""})
        assert error_of(refused, 401)["code"] == "invalid_api_key"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"v=0\r\n",
        b"hello",
        b"\x00\xff" * 1000,
        b"{}",
        b"v=0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\n",
    ],
)
async def test_what_is_no_offer_is_refused(http: httpx.AsyncClient, body: bytes) -> None:
    error = error_of(await http.post("/calls", content=body, headers=SDP), 400)
    assert (error["code"], error["param"]) == ("invalid_offer", "sdp")


@pytest.mark.parametrize("size", [MAX_OFFER + 1, MEGABYTE])
async def test_an_offer_without_end_is_refused(http: httpx.AsyncClient, size: int) -> None:
    error = error_of(await http.post("/calls", content=b"v" * size, headers=SDP), 400)
    assert error["code"] == "body_too_large"


async def test_an_offer_without_a_data_channel_is_refused(http: httpx.AsyncClient, offer: str) -> None:
    audio_only = offer.partition("m=application")[0].replace(" 1\r\n", "\r\n", 1)
    assert error_of(await http.post("/calls", content=audio_only, headers=SDP), 400)["code"] == "invalid_offer"


def mutated(offer: str, draw: st.DataObject) -> str:
    """Lines dropped, doubled, moved, cut or overwritten."""
    lines = offer.split("\r\n")
    for _ in range(draw.draw(st.integers(1, 4))):
        place, other = draw.draw(PLACES) % len(lines), draw.draw(PLACES) % len(lines)
        match draw.draw(st.sampled_from(["drop", "double", "move", "cut", "overwrite", "number"])):
            case "drop":
                lines[place : place + 1] = []
            case "double":
                lines.insert(place, lines[place])
            case "move":
                lines.insert(other, lines.pop(place))
            case "cut":
                lines[place] = lines[place][: other % (len(lines[place]) + 1)]
            case "overwrite":
                lines[place] = lines[place][:2] + draw.draw(st.text(max_size=20))
            case "number":
                lines[place] = lines[place].replace("1", draw.draw(st.sampled_from(["-1", "65536", "9" * 30, "x"])))
        lines = lines or [""]
    return "\r\n".join(lines)


@pytest.mark.timeout(60)
@given(draw=st.data())
@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_a_mutated_offer_is_answered_or_refused(offer: str, draw: st.DataObject) -> None:
    async def post(body: str) -> None:
        async with served() as http:
            response = await http.post("/calls", content=body.encode("utf-8", "replace"), headers=SDP)
            assert response.status_code == 201 or error_of(response, 400)["code"] == "invalid_offer"

    asyncio.run(post(mutated(offer, draw)))


# The rest


async def test_a_call_is_hung_up_with_an_empty_answer() -> None:
    async with served() as http, calling(http) as caller:
        assert (await http.post(f"/calls/{caller.call_id}/hangup")).content == b""
        await asyncio.wait_for(caller.closed.wait(), 5)


@pytest.mark.parametrize("call_id", ["rtc_nobody", "%00", "x" * 1000])
async def test_a_call_that_nobody_knows_cannot_be_hung_up(http: httpx.AsyncClient, call_id: str) -> None:
    error = error_of(await http.post(f"/calls/{call_id}/hangup"), 404)
    assert (error["code"], error["param"]) == ("call_not_found", "call_id")


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/calls", 405, "method_not_allowed"),
        ("GET", "/client_secrets", 405, "method_not_allowed"),
        ("POST", "/sessions", 400, "beta_api_shape_disabled"),
        ("POST", "/nothing", 404, "not_found"),
        ("GET", "", 404, "not_found"),
    ],
)
async def test_what_is_not_there_is_told_in_the_same_shape(
    http: httpx.AsyncClient, method: str, path: str, status: int, code: str
) -> None:
    assert error_of(await http.request(method, path), status)["code"] == code


async def test_the_server_says_that_it_is_well_and_how_many_it_serves() -> None:
    async with served() as http:
        health = "http://localhost/health"
        assert (await http.get(health)).json() == {"status": "ok", "sessions": 0, "version": couchvoice.__version__}
        async with calling(http):
            assert (await http.get(health)).json()["sessions"] == 1
