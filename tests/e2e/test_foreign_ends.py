"""couchvoice between two ends that know nothing of it: connection, turns, interruptions."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from tests.e2e import scenarios
from tests.e2e.scenario import SECRET, Scenario
from tests.e2e.scenarios import ANSWER, LONG_ANSWER, QUESTION, SECOND_ANSWER, SECOND_QUESTION
from tests.e2e.stage import BARGE_IN, TWO_TURNS, Played, play
from tests.e2e.talk import API_KEY, loud_ms

pytestmark = pytest.mark.timeout(60)

FIRST_TURN = (QUESTION, ANSWER, "completed")
SECOND_TURN = (SECOND_QUESTION, SECOND_ANSWER, "completed")
# Of 500 ms spoken and 600 ms answered, some is too soft to count: both have the rhythm of syllables.
HEARD_MS = 300


@pytest.mark.row("A1", "A2", "E2", "E3", "E6", "I1", "J1")
async def test_a_talk_over_libwebrtc_with_a_backend_that_gives_the_minimum(tmp_path: Path) -> None:
    played = await play(scenarios.plain_turn(), tmp_path, options=("--memory", "persistent"))
    played.ended_with(0)
    played.recorded(FIRST_TURN)
    assert played.backend.order() == ["session", "turn", "end"]
    assert len({request.body["thread_id"] for request in played.backend.requests}) == 1
    assert {request.body["memory_mode"] for request in played.backend.requests} == {"persistent"}
    assert played.talk.summary["finalized"] is True
    assert played.talk.summary["transport"] == "webrtc"
    assert played.talk.finals("user") == [QUESTION]
    assert played.talk.finals("assistant") == [ANSWER]
    story = ["connecting", "listening", "user_speaking", "assistant_speaking", "finalizing", "ended"]
    states = iter(played.talk.states)
    assert all(state in states for state in story), played.talk.states
    # Server VAD answers by itself, and policy is bound to the secret.
    assert played.end.received("response.create") == []
    assert played.end.received("session.update") == []
    _assert_connected_properly(played)
    _assert_heard_both_ways(played)


def _assert_connected_properly(played: Played) -> None:
    offer = played.end.saw("request", path="/v1/realtime/calls")
    assert [request["status"] for request in offer] == [201]
    assert offer[0]["headers"]["content-type"] == "application/sdp"
    assert offer[0]["headers"]["authorization"] == f"Bearer {SECRET}"
    assert offer[0]["body"].count("m=audio ") == 1
    assert offer[0]["body"].count("m=application ") == 1
    assert [line["label"] for line in played.end.saw("channel", state="open")] == ["oai-events"]
    assert played.end.saw("connection", state="connected")
    assert played.end.saw("not_json") == []
    assert API_KEY not in played.everything_said()
    assert SECRET not in played.talk.stdout + played.talk.stderr


def _assert_heard_both_ways(played: Played) -> None:
    assert [line["state"] for line in played.end.saw("speech")] == ["started", "stopped"]
    assert played.end.saw("closed")[0]["heard_ms"] > HEARD_MS
    assert loud_ms(played.talk.sound) > HEARD_MS


PECULIAR = [
    pytest.param(scenarios.without_session_created, marks=pytest.mark.row("A4")),
    pytest.param(partial(scenarios.plain_turn, buffer_events=False), marks=pytest.mark.row("I1")),
    pytest.param(scenarios.with_beta_names, marks=pytest.mark.row("E1")),
    pytest.param(scenarios.garbage, marks=pytest.mark.row("E1")),
    pytest.param(scenarios.assistant_text_first, marks=pytest.mark.row("I1", "E2")),
]


@pytest.mark.parametrize(
    "build", PECULIAR, ids=["no-session-created", "no-buffer-events", "beta-names", "garbage", "assistant-text-first"]
)
async def test_a_peculiar_server_is_talked_with_as_any_other(build: Callable[[], Scenario], tmp_path: Path) -> None:
    played = await play(build(), tmp_path)
    played.ended_with(0)
    played.recorded(FIRST_TURN)
    assert played.talk.finals("assistant") == [ANSWER]
    assert played.talk.finals("user") == [QUESTION]
    _assert_heard_both_ways(played)


@pytest.mark.row("E2", "I1", "J1")
async def test_a_question_whose_text_comes_late_keeps_its_own_answer(tmp_path: Path) -> None:
    played = await play(scenarios.late_user_transcript(), tmp_path, starts=TWO_TURNS)
    played.ended_with(0)
    played.recorded(FIRST_TURN, SECOND_TURN)


@pytest.mark.row("E5", "I5")
@pytest.mark.parametrize("build", [scenarios.interrupted, scenarios.spoken_over], ids=["being-made", "being-heard"])
async def test_an_answer_that_is_spoken_over_is_recorded_as_interrupted(
    build: Callable[[], Scenario], tmp_path: Path
) -> None:
    played = await play(build(), tmp_path, starts=BARGE_IN)
    played.ended_with(0)
    played.recorded((QUESTION, LONG_ANSWER.text, "interrupted"), SECOND_TURN)
    assert len(played.talk.of("interrupted")) == 1
    # The server has cancelled by itself: a cancel of ours would hit the next answer.
    assert played.end.received("response.cancel") == []
    assert loud_ms(played.talk.sound) < LONG_ANSWER.audio_ms / 2
