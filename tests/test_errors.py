"""The exception tree: every error can be acted on by its fields, and reads as a sentence."""

from __future__ import annotations

import inspect

import pytest

from couchvoice import errors
from couchvoice.errors import (
    AudioDeviceError,
    BackendError,
    ConfigError,
    ConnectionLost,
    ConnectTimeout,
    CouchvoiceError,
    NotConnected,
    RealtimeError,
    SdpExchangeError,
    TransportError,
    Unavailable,
)

URL = "http://127.0.0.1:1/v1/realtime/calls"
EXAMPLES: list[tuple[CouchvoiceError, str, bool, str]] = [
    (ConfigError("no such file"), "config_error", False, "no such file"),
    (NotConnected("connecting"), "not_connected", False, "status: connecting"),
    (AudioDeviceError("no input device"), "audio_device_error", False, "no input device"),
    (SdpExchangeError(URL, 401, "no"), "sdp_exchange_failed", False, "answered 401: the client secret is wrong"),
    (SdpExchangeError(URL, 500, "no"), "sdp_exchange_failed", True, f"{URL} answered 500 (no)"),
    (SdpExchangeError(URL, None, "no SDP"), "sdp_exchange_failed", True, "could not be used (no SDP)"),
    (ConnectTimeout("open data channel", 10.0), "negotiation_timeout", True, "no open data channel within 10 s"),
    (ConnectionLost("the peer is gone"), "connection_lost", True, "was lost: the peer is gone"),
    (BackendError(URL, 409, "conflict", "two"), "conflict", False, f"answered 409 at {URL}: two (conflict)"),
    (Unavailable(URL, None, "backend_unreachable", "refused"), "backend_unreachable", True, "no usable answer"),
    (RealtimeError("session_expired", "60 minutes"), "session_expired", False, "60 minutes (session_expired)"),
]


@pytest.mark.parametrize(("error", "code", "retryable", "part"), EXAMPLES, ids=lambda value: type(value).__name__)
def test_an_error_has_a_code_a_verdict_on_another_try_and_a_sentence(
    error: CouchvoiceError, code: str, retryable: bool, part: str
):
    assert (error.code, error.retryable) == (code, retryable)
    assert part in str(error)
    assert "\n" not in str(error)


def test_every_error_is_a_couchvoice_error_and_stands_in_the_tree_of_the_docstring():
    kinds = [kind for _, kind in inspect.getmembers(errors, inspect.isclass) if kind.__module__ == errors.__name__]
    assert [kind for kind in kinds if not issubclass(kind, CouchvoiceError)] == []
    drawn = errors.__doc__ or ""
    assert [kind.__name__ for kind in kinds if kind.__name__ not in drawn] == []


def test_whatever_is_wrong_with_the_way_to_the_provider_is_a_transport_error():
    for error in (SdpExchangeError(URL, 500, ""), ConnectTimeout("x", 1.0), ConnectionLost("x")):
        assert isinstance(error, TransportError)
