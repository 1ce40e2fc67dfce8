from __future__ import annotations

import pytest

from couchvoice.apps.exit_status import exit_status
from couchvoice.errors import (
    AudioDeviceError,
    BackendError,
    ConfigError,
    ConnectionLost,
    ConnectTimeout,
    CouchvoiceError,
    RealtimeError,
    SdpExchangeError,
    Unauthorized,
    Unavailable,
)

UNREACHABLE: list[CouchvoiceError] = [
    Unavailable("u", None, "c", "d"),
    Unauthorized("u", 401, "c", "d"),
    BackendError("u", None, "c", "d"),
    SdpExchangeError("u", 500, "d"),
    ConnectTimeout("x", 1.0),
    ConnectionLost("x"),
]


def test_a_talk_that_ended_well_is_0_and_one_with_debts_is_1():
    assert exit_status(None, was_ready=True, debts_paid=True) == 0
    assert exit_status(None, was_ready=True, debts_paid=False) == 1


@pytest.mark.parametrize("was_ready", [True, False])
def test_wrong_input_is_2_and_no_device_is_3_whenever_it_is_noticed(was_ready: bool):
    assert exit_status(ConfigError("x"), was_ready=was_ready, debts_paid=True) == 2
    assert exit_status(AudioDeviceError("x"), was_ready=was_ready, debts_paid=True) == 3


@pytest.mark.parametrize("error", UNREACHABLE, ids=lambda error: type(error).__name__)
def test_an_end_that_fails_is_4_before_ready_and_1_after(error: CouchvoiceError):
    assert exit_status(error, was_ready=False, debts_paid=True) == 4
    assert exit_status(error, was_ready=True, debts_paid=True) == 1


@pytest.mark.row("E9")
def test_a_provider_that_ends_the_session_is_1():
    assert exit_status(RealtimeError("session_expired", "over"), was_ready=True, debts_paid=True) == 1
