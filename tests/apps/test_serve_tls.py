"""A backend that is encrypted, and a client that refuses whoever cannot show who it is."""

from __future__ import annotations

import asyncio
import signal
import ssl
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from couchvoice.apps import serve
from couchvoice.apps.server_tls import server_tls
from couchvoice.errors import ConfigError
from couchvoice.transports.http import HttpClient, HttpFailure
from tests.apps.certificates import ADDRESS, Authority, Signed, pem
from tests.apps.command import ready, run, started
from tests.apps.in_process import served

SECRET = "CANARY-of-the-client"
WITHIN = 5.0  # seconds


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


@pytest.fixture
def trusted(authority: Authority, monkeypatch: pytest.MonkeyPatch) -> Authority:
    """By this process, and by those that it starts."""
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.file))
    return authority


class Listening:
    """Keeps what it was asked."""

    def __init__(self) -> None:
        self.heard: list[str] = []
        self.app = Starlette(routes=[Route("/", self._answer, methods=["POST"])])

    async def _answer(self, request: Request) -> Response:
        self.heard.append(str(request.url))
        return PlainTextResponse("welcome")


async def ask(url: str) -> bytes:
    async with HttpClient(url) as http:
        reply = await http.post(f"{url}/", b"{}", {"Authorization": f"Bearer {SECRET}"}, within=WITHIN)
        return reply.body


@pytest.mark.row("C14")
async def test_a_server_with_a_good_certificate_is_spoken_to(trusted: Authority) -> None:
    good, end = trusted.sign(), Listening()
    async with served(end.app, tls=server_tls(good.certificate, good.key)) as port:
        assert await ask(f"https://{ADDRESS}:{port}") == b"welcome"
        assert end.heard == [f"https://{ADDRESS}:{port}/"]  # the application knows that it is encrypted
        with pytest.raises(HttpFailure):
            await ask(f"http://{ADDRESS}:{port}")  # and nothing else is answered there


def bad(kind: str, authority: Authority, folder: Path) -> Signed:
    match kind:
        case "expired":
            return authority.sign(from_days=-3, to_days=-1)
        case "not yet valid":
            return authority.sign(from_days=1, to_days=3)
        case "another address":
            return authority.sign(host="192.0.2.1")
        case "another name":
            return authority.sign(host="backend.example")
        case "signed by itself":
            return authority.sign(by_itself=True)
        case _:
            return Authority(folder, "somebody else").sign()


@pytest.mark.row("C14")
@pytest.mark.parametrize(
    "kind", ["expired", "not yet valid", "another address", "another name", "signed by itself", "of somebody else"]
)
async def test_a_bad_certificate_is_refused_before_anything_is_sent(
    trusted: Authority, tmp_path: Path, kind: str
) -> None:
    signed, end = bad(kind, trusted, tmp_path), Listening()
    async with served(end.app, tls=server_tls(signed.certificate, signed.key)) as port:
        with pytest.raises(HttpFailure, match="certificate verify failed"):
            await ask(f"https://{ADDRESS}:{port}")
    assert end.heard == []


@pytest.mark.row("C14")
def test_an_old_protocol_is_not_spoken(authority: Authority) -> None:
    good = authority.sign()
    context = server_tls(good.certificate, good.key)
    assert context is not None
    assert context.minimum_version >= ssl.TLSVersion.TLSv1_2


@pytest.mark.row("S10")
async def test_who_begins_no_handshake_is_let_go(authority: Authority, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serve, "HANDSHAKE_TIMEOUT", 0.2)
    good = authority.sign()
    async with served(Listening().app, tls=server_tls(good.certificate, good.key)) as port:
        reader, writer = await asyncio.open_connection(ADDRESS, port)
        assert await asyncio.wait_for(reader.read(), WITHIN) == b""
        writer.close()


@pytest.mark.parametrize("names", [("certificate",), ("key",)])
def test_a_certificate_and_its_key_need_each_other(authority: Authority, names: tuple[str, ...]) -> None:
    good = authority.sign()
    files = [getattr(good, name) if name in names else None for name in ("certificate", "key")]
    with pytest.raises(ConfigError, match="need each other"):
        server_tls(*files)


@pytest.mark.parametrize("kind", ["of another", "garbage", "behind a passphrase", "nowhere"])
def test_what_does_not_belong_together_is_named(authority: Authority, tmp_path: Path, kind: str) -> None:
    good, key = authority.sign(), tmp_path / "the.key"
    match kind:
        case "of another":
            key = authority.sign("other").key
        case "garbage":
            key.write_text("garbage")
        case "behind a passphrase":
            key.write_bytes(pem(ec.generate_private_key(ec.SECP256R1()), b"open sesame"))
    with pytest.raises(
        ConfigError, match="cannot read" if kind == "nowhere" else "no certificate with its key"
    ) as told:
        server_tls(good.certificate, key)
    assert str(key) in str(told.value)


@pytest.mark.row("C14")
@pytest.mark.timeout(60)
async def test_a_talk_through_an_encrypted_backend_and_none_through_one_that_nobody_vouches_for(
    trusted: Authority, hello: Path, tmp_path: Path
) -> None:
    good = trusted.sign()
    options = ("--certificate", str(good.certificate), "--key", str(good.key))
    async with started("serve", "backend", "--port", "0", *options) as backend:
        url = await ready(backend)
        assert url.startswith(f"https://{ADDRESS}:")
        talk = ("talk", "--backend", url, "--input", str(hello), "--output", "none", "--json")
        held = await run(*talk)
        stranger = {"SSL_CERT_FILE": str(Authority(tmp_path, "somebody else").file)}
        refused = await run(*talk, environment=stranger)
        backend.send(signal.SIGTERM)
        ended = await backend.ended()
    assert held.status == 0, held.stdout + held.stderr
    assert refused.status == 4
    (error,) = refused.of("error")
    assert "certificate verify failed" in error["message"]
    assert ended.status == 0


@pytest.mark.timeout(60)
async def test_a_certificate_that_is_not_there_is_named_before_the_server_listens(tmp_path: Path) -> None:
    missing = str(tmp_path / "none.pem")
    ended = await run("serve", "backend", "--port", "0", "--certificate", missing, "--key", missing)
    assert (ended.status, ended.stdout) == (2, "")
    assert ended.error == f"cannot read {missing}: No such file or directory"
