"""Where a key comes from: values, files, commands. Real files, real programs."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import shlex
import sys
from pathlib import Path

import httpx
import pytest
from starlette.responses import PlainTextResponse

from couchvoice.backend.providers import Failure, ProviderFailed
from couchvoice.backend.providers import credential as module
from couchvoice.backend.providers.catalog import open_providers
from couchvoice.backend.providers.credential import EARLY, PATIENCE, KeyCommand, KeyFile, KeyUnreadable
from couchvoice.errors import ConfigError
from couchvoice.settings import load_settings
from tests.backend.ends import API_KEY, ProviderEnd, openai_like


class Clock:
    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


def printing(tmp_path: Path, text: str) -> tuple[tuple[str, ...], Path]:
    """A command that prints what stands in a file, and leaves a line in another each time."""
    said, runs = tmp_path / "said", tmp_path / "runs"
    said.write_text(text, encoding="utf-8")
    runs.touch()
    return ("/bin/sh", "-c", f"echo >> {shlex.quote(str(runs))}; cat {shlex.quote(str(said))}"), runs


def times(runs: Path) -> int:
    return len(runs.read_text(encoding="utf-8").splitlines())


def runs_still(pid: int) -> bool:
    try:
        return " Z " not in Path(f"/proc/{pid}/stat").read_text(encoding="utf-8")
    except OSError:
        return False


@pytest.mark.row("C11")
async def test_a_file_is_read_anew_each_time_and_must_be_closed_to_others(tmp_path: Path) -> None:
    path = tmp_path / "key"
    path.write_text("sk-1\n", encoding="utf-8")
    path.chmod(0o600)
    credential = KeyFile(path)
    assert (await credential.key()).reveal() == "sk-1"
    path.write_text("sk-2", encoding="utf-8")
    assert (await credential.key()).reveal() == "sk-2"
    for mode in (0o640, 0o604, 0o660, 0o620, 0o601):
        path.chmod(mode)
        with pytest.raises(KeyUnreadable, match="chmod 600") as unreadable:
            await credential.key()
        assert "sk-2" not in str(unreadable.value)


@pytest.mark.row("C11")
async def test_a_file_that_holds_no_key_is_named(tmp_path: Path) -> None:
    path = tmp_path / "key"
    for content in (b"", b" \n", b"two words", b"\xff\xfe", "clé".encode()):
        path.write_bytes(content)
        path.chmod(0o600)
        with pytest.raises(KeyUnreadable):
            await KeyFile(path).key()
    os.mkfifo(tmp_path / "pipe", 0o600)
    for odd in (tmp_path / "pipe", tmp_path, tmp_path / "missing"):
        with pytest.raises(KeyUnreadable, match=odd.name):
            await KeyFile(odd).key()


@pytest.mark.row("C11")
@pytest.mark.parametrize(
    ("fields", "lifetime"),
    [
        ({"accessToken": "t-1", "expires_on": 1_003_600, "expiresOn": "2026-11-29 19:00:00.000000"}, 3_600),
        ({"access_token": "t-1", "expires_in": "3600", "token_type": "Bearer"}, 3_600),
        ({"token": "t-1"}, module.COMMAND_LIFETIME + EARLY),
        ({"token": "t-1", "expires_in": "soon", "expires_on": None}, module.COMMAND_LIFETIME + EARLY),
        (None, module.COMMAND_LIFETIME + EARLY),
    ],
    ids=["az", "oauth", "no-expiry", "nonsense", "alone"],
)
async def test_what_a_command_prints_is_kept_until_shortly_before_it_expires(
    tmp_path: Path, fields: dict[str, object] | None, lifetime: float
) -> None:
    words, runs = printing(tmp_path, "t-1\n" if fields is None else json.dumps(fields))
    clock = Clock()
    credential = KeyCommand(words, clock=clock)
    keys = await asyncio.gather(*(credential.key() for _ in range(5)))
    assert {key.reveal() for key in keys} == {"t-1"}
    clock.now += lifetime - EARLY - 1
    await credential.key()
    assert times(runs) == 1
    clock.now += 1
    await credential.key()
    assert times(runs) == 2


@pytest.mark.row("C11")
async def test_a_token_that_azure_refuses_is_asked_for_again_once(tmp_path: Path) -> None:
    words, runs = printing(tmp_path, "t-1")
    end = ProviderEnd()
    provider = openai_like("local", key=KeyCommand(words), transport=httpx.ASGITransport(end.app))
    assert (await provider.mint({}, safety_identifier="0")).value.reveal() == "ek_1"
    (tmp_path / "said").write_text("t-2", encoding="utf-8")
    end.reply = PlainTextResponse("no", 401)
    with pytest.raises(ProviderFailed) as failed:
        await provider.mint({}, safety_identifier="0")
    assert failed.value.failure is Failure.AUTH_FAILED
    assert [headers["authorization"] for headers, _ in end.requests] == ["Bearer t-1", "Bearer t-1", "Bearer t-2"]
    assert times(runs) == 2
    await provider.close()


@pytest.mark.row("C11")
@pytest.mark.parametrize(
    ("script", "why"),
    [
        (f"echo {API_KEY} >&2; echo {API_KEY}; exit 3", "status 3"),
        ("true", "holds none"),
        (f"echo {API_KEY} {API_KEY}", "a space"),
        ("head -c 70000 /dev/zero | tr '\\0' k", "more than 64 KiB"),
    ],
)
async def test_a_command_that_fails_is_named_without_what_it_printed(
    script: str, why: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    provider = openai_like("local", key=KeyCommand(("/bin/sh", "-c", script)))
    with pytest.raises(ProviderFailed) as failed:
        await provider.mint({}, safety_identifier="0")
    assert failed.value.failure is Failure.NO_KEY
    assert why in caplog.text
    assert API_KEY not in caplog.text + str(failed.value)


@pytest.mark.row("C11")
async def test_a_command_that_hangs_is_ended_with_all_its_children_and_not_run_again_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "COMMAND_TIMEOUT", 0.5)
    pid = tmp_path / "pid"
    clock = Clock()
    credential = KeyCommand(("/bin/sh", "-c", f"sleep 60 & echo $! > {shlex.quote(str(pid))}; wait"), clock=clock)
    for _ in range(3):
        with pytest.raises(KeyUnreadable, match="longer than"):
            await credential.key()
        child = pid.read_text(encoding="utf-8")
    assert not runs_still(int(child))
    pid.unlink()
    clock.now += PATIENCE
    with pytest.raises(KeyUnreadable):
        await credential.key()
    assert pid.exists()


@pytest.mark.row("C11")
async def test_while_a_command_fails_the_key_of_before_is_used_until_it_expires(tmp_path: Path) -> None:
    said = json.dumps({"token": "t-1", "expires_in": 600})
    words, _ = printing(tmp_path, said)
    clock = Clock()
    credential = KeyCommand(words, clock=clock)
    await credential.key()
    (tmp_path / "said").unlink()
    clock.now += 590
    assert (await credential.key()).reveal() == "t-1"
    clock.now += 10 + PATIENCE
    with pytest.raises(KeyUnreadable):
        await credential.key()


@pytest.mark.row("C11")
async def test_a_program_that_is_not_there_is_named() -> None:
    with pytest.raises(KeyUnreadable, match="no-such-program cannot be run"):
        await KeyCommand(("/no-such-program",)).key()


@pytest.mark.row("C11", "O2")
async def test_azures_key_goes_as_api_key_and_a_commands_token_as_a_bearer(tmp_path: Path) -> None:
    script = f"{shlex.quote(sys.executable)} -c 'print(\"t-1\")'"
    for environ, header in (
        ({"AZURE_OPENAI_API_KEY": "k-1"}, ("api-key", "k-1")),
        ({"COUCHVOICE_API_KEY_COMMAND": script, "AZURE_OPENAI_API_KEY": "k-1"}, ("authorization", "Bearer t-1")),
        ({"COUCHVOICE_ENDPOINT_AZURE_AUTH": "bearer", "AZURE_OPENAI_API_KEY": "k-1"}, ("authorization", "Bearer k-1")),
    ):
        end = ProviderEnd("/openai/v1")
        settings = load_settings(
            {"provider": "azure", "realtime_url": "http://127.0.0.1:9"}, environ=environ, file=Path(os.devnull)
        )
        provider, _ = open_providers(settings, transport=httpx.ASGITransport(end.app))
        await provider.mint({}, safety_identifier="0")
        ((headers, _),) = end.requests
        assert {name: value for name, value in headers.items() if name in ("api-key", "authorization")} == dict(
            [header]
        )
        await provider.close()


@pytest.mark.row("O2")
@pytest.mark.parametrize(
    ("file", "sentence"),
    [
        ('[endpoints.eu]\nprovider = "azure"\napi_key = "sk"\n', "set COUCHVOICE_ENDPOINT_EU_API_KEY"),
        ('[endpoints.eu]\nprovider = "azur"\n', 'unknown provider "azur": choose one of local, openai, azure, eu'),
        ('[endpoints.eu]\nprovider = "azure"\n', "base_url: field required; known: base_url, deployment, auth"),
        ('[endpoints.eu]\nprovider = "openai"\nbase_url = "http://example.org"\n', "endpoint eu: .* is not encrypted"),
        ('[endpoints.eu]\nprovider = "openai"\napi_key_file = "f"\napi_key_command = "c"\n', "more than one of"),
        ('[endpoints.eu]\nprovider = "openai"\napi_key_command = "\'"\n', "cannot be split into words"),
        ('[endpoints.EU]\nprovider = "azure"\n', '"EU" is no name of an endpoint'),
        ("[endpoints.eu]\nbase_url = []\n", "endpoints.eu.base_url must be a text or a number, not list"),
        ('endpoints = "eu"\n', "endpoints must be tables"),
        ('profile = "acme"\n', 'unknown profile "acme": choose one of gateway, voiceassist, azure'),
        ('api_key_file = "f"\napi_key_command = "c"\n', "leave one of them out"),
    ],
)
def test_an_endpoint_that_cannot_be_is_refused_by_name(tmp_path: Path, file: str, sentence: str) -> None:
    path = tmp_path / "config.toml"
    path.write_text(file, encoding="utf-8")
    with pytest.raises(ConfigError, match=sentence):
        open_providers(load_settings(environ={}, file=path))


@pytest.mark.row("O2")
def test_a_profile_is_the_defaults_of_another_product(tmp_path: Path) -> None:
    gateway = load_settings(environ={"COUCHVOICE_PROFILE": "gateway", "COUCHVOICE_MODEL": "m"}, file=Path(os.devnull))
    assert (gateway.provider, gateway.session.voice, gateway.session.model) == ("openai", "verse", "m")
    other = load_settings(
        environ={
            "COUCHVOICE_PROFILE": "voiceassist",
            "REALTIME_MODEL": "r",
            "REALTIME_BASE_URL": "wss://api.openai.com/v1/realtime",
            "REALTIME_TOKEN_EXPIRY_SEC": "60",
            "REALTIME_ENABLED": "false",
        },
        file=Path(os.devnull),
    )
    assert (other.session.model, other.session.secret_lifetime, other.realtime_enabled) == ("r", 60, False)
    assert other.realtime_url == "https://api.openai.com/v1"
    azure = load_settings(environ={"COUCHVOICE_PROFILE": "azure"}, file=Path(os.devnull))
    assert (azure.provider, azure.azure_deployment) == ("azure", "gpt-realtime")


@pytest.mark.row("O2")
@pytest.mark.parametrize(
    "endpoint",
    [
        "https://res.openai.azure.com",
        "https://res.openai.azure.com/",
        "https://res.openai.azure.com/models",
        "https://res.openai.azure.com/openai/v1",
        "https://res.openai.azure.com/openai/v1/",
        "https://res.openai.azure.com/api/projects/mine/models",
    ],
)
def test_whichever_address_azure_shows_the_api_is_found(endpoint: str) -> None:
    settings = load_settings(
        environ={"COUCHVOICE_PROVIDER": "azure", "AZURE_PROJECT_ENDPOINT": endpoint}, file=Path(os.devnull)
    )
    place = open_providers(settings)[0].place
    assert place.calls_url == "https://res.openai.azure.com/openai/v1/realtime/calls"
    assert place.ws_url == "wss://res.openai.azure.com/openai/v1/realtime"
    assert place.model == "gpt-realtime"
