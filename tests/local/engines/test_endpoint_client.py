"""An endpoint is reached safely, and whatever it does wrong is EngineFailed, with its host and nothing else of it."""

from __future__ import annotations

import asyncio
import re

import pytest

from couchvoice.errors import ConfigError
from couchvoice.local.engine_options import Endpoint
from couchvoice.local.engines.endpoint_client import EndpointClient
from couchvoice.local.engines.engine_failed import EngineFailed
from couchvoice.private import Private
from tests.local.engines.far_end import FAILURES, KEY, NEVER, far_end

QUIET = 0.3  # seconds
PATIENT = 5.0  # seconds, for a busy machine


@pytest.mark.row("C14")
@pytest.mark.parametrize(
    "url",
    [
        "http://example.com/v1",
        "http://192.168.1.7:8000/v1",
        "http://127.0.0.1.example.com/v1",
        "ftp://127.0.0.1/v1",
        "example.com",
        "",
        "https://",
        "http://[::1/v1",
        "http://127.0.0.1:99999/v1",
    ],
)
def test_what_is_not_encrypted_or_no_url_is_refused_and_named(url: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(f'"{url}" is n')):
        EndpointClient(Endpoint(url=url, model="m"), quiet=QUIET)


@pytest.mark.row("C14")
@pytest.mark.parametrize("url", ["http://127.0.0.1:1/v1", "http://[::1]:1/v1", "http://localhost/v1", "https://a.b/v1"])
async def test_loopback_and_https_are_taken(url: str) -> None:
    await EndpointClient(Endpoint(url=url, model="m"), quiet=QUIET).close()


def test_a_password_in_the_url_is_refused_and_not_shown() -> None:
    with pytest.raises(ConfigError, match="must not hold") as refused:
        EndpointClient(Endpoint(url="https://me:hush@example.com/v1", model="m"), quiet=QUIET)
    assert "hush" not in str(refused.value)


def test_a_key_that_no_header_takes_is_refused_and_not_shown() -> None:
    with pytest.raises(ConfigError, match="holds a space") as refused:
        EndpointClient(Endpoint(url="https://example.com/v1", model="m", key=Private("a b")), quiet=QUIET)
    assert "a b" not in str(refused.value)


@pytest.mark.parametrize("failure", FAILURES)
async def test_whatever_goes_wrong_is_told_with_the_host_and_no_words(failure: str) -> None:
    instead, reason = FAILURES[failure]
    async with far_end() as end:
        end.instead = instead
        client = EndpointClient(end.endpoint, quiet=QUIET if failure == NEVER else PATIENT)
        try:
            for asking in (
                client.post_for_object("chat/completions", json={}),
                anext(client.stream("chat/completions", {})),
            ):
                with pytest.raises(EngineFailed, match=rf"127\.0\.0\.1:\d+ failed: {reason}") as failed:
                    await asking
                assert "secret" not in str(failed.value)
                assert KEY not in str(failed.value)
        finally:
            await client.close()


async def test_where_nobody_listens_there_is_no_connection() -> None:
    async with far_end() as end:
        endpoint = end.endpoint
    client = EndpointClient(endpoint, quiet=PATIENT)
    with pytest.raises(EngineFailed, match="no connection"):
        await client.post("audio/speech", json={})
    await client.close()


async def test_an_answer_that_drips_is_given_up() -> None:
    async with far_end() as end:
        end.hold = asyncio.Event()
        client = EndpointClient(end.endpoint, quiet=QUIET)
        with pytest.raises(EngineFailed, match="no answer in time"):
            await client.post("chat/completions", json={})
        end.hold.set()
        await client.close()
