"""What is left of a talk when one of the two ends fails: exit status, turns, one ``/end``."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from tests.e2e import scenarios
from tests.e2e.minimal_backend import Endpoint, Fault, MinimalBackend
from tests.e2e.scenario import SECRET, Step
from tests.e2e.scenarios import ANSWER, LONG_ANSWER, QUESTION
from tests.e2e.stage import play
from tests.e2e.talk import Talk, talk

pytestmark = pytest.mark.timeout(60)

FIRST_TURN = (QUESTION, ANSWER, "completed")
NOT_HAMMERED = 5  # requests to /session in one attempt to talk


@pytest.mark.row("E9", "J1")
async def test_a_session_that_expires_ends_cleanly_with_its_turns_recorded(tmp_path: Path) -> None:
    played = await play(scenarios.expired(), tmp_path)
    played.ended_with(1)
    played.recorded(FIRST_TURN)
    assert [line["code"] for line in played.talk.of("error")] == ["session_expired"]


@pytest.mark.row("I5", "J1")
@pytest.mark.parametrize("how", [{"close": True}, {"close_channel": True}], ids=lambda how: next(iter(how)))
async def test_a_turn_whose_peer_goes_away_is_recorded_before_the_end(how: Step, tmp_path: Path) -> None:
    played = await play(scenarios.gone(how), tmp_path, after=6.0)
    played.ended_with(1)
    played.recorded((QUESTION, LONG_ANSWER.text, "connection_interrupted"))


@pytest.mark.row("I1", "J1")
async def test_a_turn_that_is_refused_twice_is_sent_again_before_the_end(tmp_path: Path) -> None:
    played = await play(scenarios.plain_turn(), tmp_path, faults={"turn": Fault(times=2)})
    played.ended_with(0)
    first, second, third = played.backend.to("turn")
    assert first == second == third
    assert first["client_turn_id"]
    assert played.backend.order() == ["session", "turn", "turn", "turn", "end"]
    assert len(played.talk.of("turn")) == 1


UNACCEPTED: dict[str, dict[Endpoint, Fault]] = {
    "turn-500": {"turn": Fault()},
    "end-dropped": {"end": Fault(drop=True)},
    "end-page": {"end": Fault(status=200, body="<html>It works!</html>", content_type="text/html")},
}


@pytest.mark.row("J1")
@pytest.mark.parametrize("faults", UNACCEPTED.values(), ids=UNACCEPTED.keys())
async def test_a_turn_or_an_end_that_is_never_accepted_is_an_exit_status(
    faults: dict[Endpoint, Fault], tmp_path: Path
) -> None:
    played = await play(scenarios.plain_turn(), tmp_path, faults=faults)
    played.ended_with(1)
    assert played.talk.of("error")
    assert played.backend.order()[-1] == "end"
    assert played.talk.summary["finalized"] is False


REFUSALS = {
    "status-500": {"status": 500, "content_type": "application/json", "body": '{"error": {"message": "no"}}'},
    "page": {"status": 201, "content_type": "text/html", "body": "<html>It works!</html>"},
    "empty": {"status": 201, "content_type": "application/sdp", "body": ""},
}


@pytest.mark.row("A2")
@pytest.mark.parametrize("refusal", REFUSALS.values(), ids=REFUSALS.keys())
async def test_an_offer_that_gets_no_answer_is_one_error(refusal: dict[str, object], tmp_path: Path) -> None:
    scenario = scenarios.plain_turn()
    scenario.refuse = refusal
    played = await play(scenario, tmp_path)
    _assert_failed_before_ready(played.talk)
    assert played.backend.to("turn") == []


@pytest.mark.row("A2")
async def test_a_secret_that_the_provider_does_not_know_is_one_error(tmp_path: Path) -> None:
    played = await play(scenarios.plain_turn(), tmp_path, secret="ek_of_another")
    _assert_failed_before_ready(played.talk)
    assert {request["status"] for request in played.end.saw("request")} == {401}
    assert "ek_of_another" not in played.talk.stdout + played.talk.stderr


SESSIONS = {
    "status-500": Fault(body='{"detail": {"code": "voice_realtime_session_failed", "message": "no"}}'),
    "status-503": Fault(status=503, body="try later", content_type="text/plain"),
    "status-401": Fault(status=401, body='{"detail": "Not authenticated"}'),
    "page": Fault(status=200, body="<html>It works!</html>", content_type="text/html"),
    "no-secret": Fault(status=200, body='{"session_config": {}}'),
    "list": Fault(status=200, body="[1, 2]"),
    "dropped": Fault(drop=True),
}


@pytest.mark.parametrize("fault", SESSIONS.values(), ids=SESSIONS.keys())
async def test_a_backend_that_gives_no_session_is_one_error(fault: Fault, tmp_path: Path) -> None:
    with MinimalBackend(secret=SECRET, faults={"session": fault}) as backend:
        result = await talk(backend=backend.url, realtime=f"{_nobody()}/v1", directory=tmp_path)
        _assert_failed_before_ready(result)
        assert set(backend.order()) == {"session"}
        assert len(backend.order()) <= NOT_HAMMERED


async def test_a_backend_that_is_not_there_is_one_error(tmp_path: Path) -> None:
    result = await talk(backend=_nobody(), realtime=f"{_nobody()}/v1", directory=tmp_path)
    _assert_failed_before_ready(result)


def _assert_failed_before_ready(result: Talk) -> None:
    assert result.status == 4, result.stdout + result.stderr
    assert result.summary["exit"] == result.status
    assert len(result.of("error")) == 1
    assert "Traceback" not in result.stderr
    assert "listening" not in result.states


def _nobody() -> str:
    """A URL where nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return f"http://127.0.0.1:{server.getsockname()[1]}"
