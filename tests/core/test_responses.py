"""The gate: one response at a time."""

from __future__ import annotations

import pytest

from couchvoice.core.client_events import ResponseCreate
from couchvoice.core.effects import Effect, SendEvent
from couchvoice.core.ids import Ids
from couchvoice.core.notices import Problem
from couchvoice.core.responses import REQUEST_TIMEOUT, RETRY_DELAY, ResponseGate, ResponseState


@pytest.fixture
def gate() -> ResponseGate:
    return ResponseGate(Ids("g"))


def creates(effects: list[Effect]) -> list[str]:
    return [effect.event.event_id for effect in effects if isinstance(effect, SendEvent)]


def test_a_free_gate_asks_at_once(gate: ResponseGate) -> None:
    (effect,) = gate.request(0.0)
    assert isinstance(effect, SendEvent)
    assert isinstance(effect.event, ResponseCreate)
    assert gate.state is ResponseState.REQUESTED


def test_requests_while_one_is_under_way_are_merged_into_one_after_it(gate: ResponseGate) -> None:
    gate.request(0.0)
    assert gate.request(0.0) == []
    gate.created("r1")
    assert gate.request(0.0) == []
    assert len(creates(gate.done("r1", 1.0))) == 1
    gate.created("r2")
    assert gate.done("r2", 2.0) == []
    assert not gate.owes


def test_only_the_running_response_frees_the_gate(gate: ResponseGate) -> None:
    gate.created("r1")
    gate.created("r2")
    gate.request(0.0)
    assert gate.done("r1", 0.0) == []
    assert gate.running() == {"r2"}
    assert len(creates(gate.done("r2", 0.0))) == 1


def test_the_end_of_an_older_response_does_not_forget_that_we_have_asked(gate: ResponseGate) -> None:
    gate.request(0.0)
    gate.done("r0", 0.0)
    assert gate.request(0.0) == []


@pytest.mark.parametrize("event_id", ["event_g_1", None])
def test_a_refusal_by_the_servers_own_response_is_asked_again_after_it(gate: ResponseGate, event_id: str) -> None:
    gate.request(0.0)
    gate.created("r_vad")
    gate.refused(event_id, 0.1)
    assert gate.expects
    assert gate.next_timeout() is None
    assert len(creates(gate.done("r_vad", 3.0))) == 1


def test_a_refusal_by_a_response_that_nobody_announced_is_asked_again_soon(gate: ResponseGate) -> None:
    gate.request(0.0)
    gate.refused(None, 1.0)
    assert gate.state is ResponseState.REFUSED
    assert gate.next_timeout() == 1.0 + RETRY_DELAY
    assert gate.expire(1.0) == []
    assert len(creates(gate.expire(1.0 + RETRY_DELAY))) == 1


def test_a_response_that_is_announced_after_its_refusal_stops_the_retry(gate: ResponseGate) -> None:
    gate.request(0.0)
    gate.refused(None, 1.0)
    gate.created("r_vad")
    assert gate.expire(10.0) == []
    assert len(creates(gate.done("r_vad", 11.0))) == 1


@pytest.mark.parametrize("event_id", ["event_of_somebody_else", None])
def test_a_refusal_that_is_not_of_our_request_changes_nothing(gate: ResponseGate, event_id: str | None) -> None:
    gate.created("r1")
    gate.refused(event_id, 0.0)
    assert gate.done("r1", 0.0) == []


def test_a_refusal_that_comes_after_the_response_is_over_changes_nothing(gate: ResponseGate) -> None:
    gate.request(0.0)
    gate.created("r1")
    gate.done("r1", 0.0)
    gate.refused(None, 0.0)
    assert not gate.owes


def test_a_refusal_that_comes_twice_counts_once(gate: ResponseGate) -> None:
    gate.request(0.0)
    gate.created("r_vad")
    gate.refused(None, 0.0)
    gate.refused(None, 0.0)
    gate.done("r_vad", 1.0)
    gate.created("r2")
    assert gate.done("r2", 2.0) == []


def test_a_request_that_failed_makes_way_for_the_one_behind_it(gate: ResponseGate) -> None:
    (event_id,) = creates(gate.request(0.0))
    assert gate.asked(event_id)
    assert not gate.asked(None)
    gate.request(0.0)
    assert len(creates(gate.failed(0.0))) == 1


def test_a_request_that_failed_beside_a_running_response_leaves_that_alone(gate: ResponseGate) -> None:
    gate.request(0.0)
    gate.created("r_vad")
    assert gate.failed(0.0) == []
    assert gate.running() == {"r_vad"}


def test_a_request_that_nobody_answers_is_given_up(gate: ResponseGate) -> None:
    gate.request(5.0)
    assert gate.next_timeout() == 5.0 + REQUEST_TIMEOUT
    (problem,) = gate.expire(5.0 + REQUEST_TIMEOUT)
    assert isinstance(problem, Problem)
    assert not gate.owes
    assert gate.next_timeout() is None


def test_a_closed_gate_asks_for_nothing_more(gate: ResponseGate) -> None:
    gate.created("r1")
    gate.request(0.0)
    gate.close()
    assert gate.done("r1", 1.0) == []
    assert gate.next_timeout() is None
