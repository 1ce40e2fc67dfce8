"""The client's HTTP against real servers: what it refuses to do, and that every answer or none is bounded."""

from __future__ import annotations

import asyncio
import datetime
import itertools
import socket
import ssl
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from couchvoice.addresses import is_loopback, require_safe_url
from couchvoice.errors import ConfigError
from couchvoice.transports import http
from couchvoice.transports.http import HttpClient, HttpFailure, HttpReply
from tests.leftovers import nothing_left
from tests.transports.http_ends import Answer, RawEnd, raw, raw_end, reply

SOON = 0.3  # seconds
DRIP = 0.01  # seconds between two bytes of a body without end


async def post(end: RawEnd, *, within: float = 5.0, **headers: str) -> HttpReply:
    async with HttpClient(end.url) as client:
        return await client.post(f"{end.url}/path", b"question", headers, within=within)


SAFE = ["https://example.com", "http://127.0.0.1:8765", "http://localhost", "http://[::1]:1/v1", "HTTPS://Example.com/"]
UNSAFE = [
    "http://example.com",
    "http://192.168.1.2:8765",
    "http://0.0.0.0",
    "http://127.0.0.1.example.com",
    "ftp://127.0.0.1",
    "file:///etc/passwd",
    "127.0.0.1:8765",
    "foo",
    "",
    "https://",
    "http://[::1",
    "http://127.0.0.1:99999",
    "http://127.0.0.1:port",
]


@pytest.mark.parametrize("url", SAFE)
def test_https_and_plain_http_to_this_machine_are_safe(url: str):
    assert not require_safe_url(url).endswith("/")


@pytest.mark.parametrize("url", UNSAFE)
def test_anything_else_is_refused_before_a_byte_is_sent(url: str):
    with pytest.raises(ConfigError) as refused:
        HttpClient(url)
    assert f'"{url}"' in str(refused.value)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "::1", "localhost", "api.localhost"])
def test_loopback_has_several_names(host: str):
    assert is_loopback(host)


async def test_a_post_carries_its_headers_and_body_and_brings_the_whole_answer():
    async with raw_end(reply(b"answer", status="201 Created", headers="X-Kind: good\r\n")) as end, nothing_left():
        answer = await post(end, Authorization="Bearer t")
    assert (answer.status, answer.ok, answer.body, answer.headers["x-kind"]) == (201, True, b"answer", "good")
    (request,) = end.requests
    assert request.startswith(b"POST /path HTTP/1.1\r\n")
    assert b"Authorization: Bearer t\r\n" in request
    assert request.endswith(b"\r\n\r\nquestion")


async def test_a_redirect_is_not_followed_so_that_no_secret_travels():
    async with raw_end(reply(b"")) as elsewhere:
        async with raw_end(reply(status="307 Moved", headers=f"Location: {elsewhere.url}/\r\n")) as end:
            answer = await post(end, Authorization="Bearer secret")
        assert (answer.status, answer.ok) == (307, False)
        assert elsewhere.requests == []


async def _drip(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    for _ in itertools.count():
        writer.write(b"1\r\nx\r\n")
        await writer.drain()
        await asyncio.sleep(DRIP)


async def _flood(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    for _ in itertools.count():
        writer.write(b"10000\r\n" + b"x" * 0x10000 + b"\r\n")
        await writer.drain()


async def _say_nothing(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
    await reader.read()  # until the client has gone


FAILURES: list[tuple[str, Answer, str]] = [
    ("slow-drip", _drip, "no answer in time"),
    ("silence", _say_nothing, "no answer in time"),
    ("flood", _flood, "larger than"),
    ("dropped", raw(b""), "broke"),
    ("cut-body", raw(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf"), "broke"),
    ("no-http", raw(b"SSH-2.0-OpenSSH_9.2\r\n"), "broke"),
    ("endless-header", raw(b"HTTP/1.1 200 OK\r\nX: " + b"x" * 300_000), "broke"),
    ("false-gzip", reply(b"no gzip", headers="Content-Encoding: gzip\r\n"), "cannot be decoded"),
]


@pytest.mark.parametrize(("answer", "why"), [row[1:] for row in FAILURES], ids=[row[0] for row in FAILURES])
async def test_an_answer_that_is_none_is_a_failure_in_bounded_time(answer: Answer, why: str):
    async with raw_end(answer) as end, nothing_left():
        with pytest.raises(HttpFailure, match=why):
            await post(end, within=SOON if "time" in why else 5.0)


async def test_a_small_packed_answer_that_unfolds_without_end_is_bounded():
    import gzip

    bomb = gzip.compress(b"0" * (http.MAX_BODY + 1))
    async with raw_end(reply(bomb, headers="Content-Encoding: gzip\r\n")) as end:
        with pytest.raises(HttpFailure, match="larger than 4 MiB"):
            await post(end)


async def test_nobody_at_the_port_is_a_failure():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    async with HttpClient(url) as client, nothing_left():
        with pytest.raises(HttpFailure, match="no connection"):
            await client.post(url, b"", {}, within=5.0)


@pytest.mark.parametrize("value", ["ek_\xe4", "ek_\n", "ek_\u2028"])
async def test_a_secret_that_no_header_can_hold_is_a_failure_that_does_not_tell_it(value: str):
    async with raw_end(reply()) as end:
        with pytest.raises(HttpFailure) as failed:
            await post(end, Authorization=value)
        assert value not in str(failed.value)
        assert end.requests == []


@pytest.mark.parametrize("path", ["/\x00", "/\n", "/" + "a" * 70_000])
async def test_an_address_that_cannot_be_used_is_a_failure(path: str):
    async with raw_end(reply()) as end, HttpClient(end.url) as client:
        with pytest.raises(HttpFailure):
            await client.post(end.url + path, b"", {}, within=5.0)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of a server that nobody trusts: key and certificate in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.datetime.now(datetime.UTC)
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now)
        .not_valid_after(now + datetime.timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "server.pem"
    path.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        + signed.public_bytes(serialization.Encoding.PEM)
    )
    return path


async def test_a_server_whose_certificate_nobody_signed_gets_nothing_and_is_said_to_be_that(certificate: Path):
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)
    async with raw_end(reply(), tls=context) as end:
        with pytest.raises(HttpFailure, match="CERTIFICATE_VERIFY_FAILED"):
            await post(end)
        assert end.requests == []


async def _echo(request: Request) -> Response:
    return PlainTextResponse(await request.body())


async def _fail(request: Request) -> Response:
    raise RuntimeError("a bug in the application")


async def _hang(request: Request) -> Response:
    await asyncio.Event().wait()
    raise AssertionError("unreachable: nobody sets the event")


APP = Starlette(routes=[Route(f"/{view.__name__[1:]}", view, methods=["POST"]) for view in (_echo, _fail, _hang)])


async def test_an_application_in_this_process_answers_without_a_port():
    async with HttpClient("http://localhost", app=APP) as client:
        assert (await client.post("http://localhost/echo", b"hi", {}, within=5.0)).body == b"hi"


async def test_what_an_application_raises_is_a_status_as_behind_a_port():
    async with HttpClient("http://localhost", app=APP) as client:
        assert (await client.post("http://localhost/fail", b"", {}, within=5.0)).status == 500


async def test_an_application_that_hangs_is_a_failure():
    async with HttpClient("http://localhost", app=APP) as client, nothing_left():
        with pytest.raises(HttpFailure, match="no answer in time"):
            await client.post("http://localhost/hang", b"", {}, within=SOON)


async def test_the_proxies_of_the_environment_see_nothing(monkeypatch: pytest.MonkeyPatch):
    async with raw_end(reply(status="502 Proxy")) as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        monkeypatch.setenv("ALL_PROXY", proxy.url)
        async with raw_end(reply()) as end:
            assert (await post(end)).status == 200
        assert proxy.requests == []
