from __future__ import annotations

import pytest

from couchvoice.client.endpoints import Endpoints
from couchvoice.contract import SessionReply
from couchvoice.errors import ConfigError

BACKEND = "http://127.0.0.1:8765"


def calls_url(*, realtime_url: str | None = None, asked: str | None = None, **reply: str | None) -> str:
    ends = Endpoints(backend_url=BACKEND, realtime_url=realtime_url, provider=asked)
    return ends.calls_url(SessionReply(client_secret="ek_1", **reply))


def test_the_users_address_wins_over_the_backends():
    theirs = "https://example.com/calls"
    assert calls_url(realtime_url="http://127.0.0.1:9/v1/", calls_url=theirs) == "http://127.0.0.1:9/v1/realtime/calls"


def test_the_backends_address_wins_over_the_providers():
    theirs = "https://example.com/v1/realtime/calls"
    assert calls_url(asked="openai", calls_url=theirs) == theirs


@pytest.mark.parametrize(
    ("asked", "told", "base"),
    [
        ("openai", "local", "https://api.openai.com/v1"),
        (None, "openai", "https://api.openai.com/v1"),
        ("local", None, "http://127.0.0.1:8766/v1"),
    ],
)
def test_a_minimal_reply_is_used_with_the_configured_provider(asked: str | None, told: str | None, base: str):
    assert calls_url(asked=asked, provider=told) == f"{base}/realtime/calls"


@pytest.mark.parametrize("told", [None, "somebody"])
def test_nobody_said_where(told: str | None):
    with pytest.raises(ConfigError, match="--realtime-url or --provider"):
        calls_url(provider=told)


@pytest.mark.parametrize("url", ["http://example.com/v1/realtime/calls", "ftp://127.0.0.1", "calls"])
def test_the_secret_is_not_sent_in_the_clear_wherever_the_backend_wants_it(url: str):
    with pytest.raises(ConfigError):
        calls_url(calls_url=url)
