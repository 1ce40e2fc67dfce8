"""What was used is summed once, whatever the provider tells and however often."""

from __future__ import annotations

import pytest

from couchvoice.core import server_events as server
from couchvoice.core.notices import UsageChanged
from couchvoice.core.session import Session
from couchvoice.core.usage import Usage, UsageMeter
from tests.core.talk import START, answered, created, feed, of, said

TOLD = {
    "total_tokens": 253,
    "input_tokens": 132,
    "output_tokens": 121,
    "input_token_details": {"text_tokens": 119, "audio_tokens": 13, "cached_tokens": 64},
    "output_token_details": {"text_tokens": 30, "audio_tokens": 91},
}
COUNTED = Usage(
    responses=1,
    input_tokens=132,
    input_text_tokens=119,
    input_audio_tokens=13,
    cached_tokens=64,
    output_tokens=121,
    output_text_tokens=30,
    output_audio_tokens=91,
)


def done(response_id: str, usage: object, status: str = "completed") -> server.ResponseDone:
    return server.ResponseDone(response=server.Response(id=response_id, status=status, usage=usage))


def heard(item_id: str, usage: object) -> server.InputTranscriptCompleted:
    return server.InputTranscriptCompleted(item_id=item_id, transcript="Hello", usage=usage)


def total(*events: server.ServerEvent) -> Usage:
    meter = UsageMeter()
    for event in events:
        meter.receive(event)
    return meter.total


@pytest.mark.row("O9")
def test_what_a_response_used_is_read_in_all_its_parts() -> None:
    assert total(done("r1", TOLD)) == COUNTED


@pytest.mark.row("O9")
def test_responses_are_summed_and_each_counts_once() -> None:
    used = total(done("r1", TOLD), done("r1", TOLD), done("r2", TOLD, "cancelled"))
    assert (used.responses, used.input_tokens, used.output_audio_tokens) == (2, 264, 182)


@pytest.mark.row("O9")
def test_transcription_is_counted_by_seconds_or_by_tokens() -> None:
    by_token = {"type": "tokens", "total_tokens": 22, "input_tokens": 13, "output_tokens": 9}
    used = total(heard("u1", {"type": "duration", "seconds": 1.5}), heard("u2", by_token), heard("u2", by_token))
    assert used == Usage(transcription_seconds=1.5, transcription_tokens=22)


@pytest.mark.row("O9")
@pytest.mark.parametrize("usage", [None, [], "much", 7])
def test_a_provider_that_tells_nothing_of_use_changes_nothing(usage: object) -> None:
    assert total(done("r1", usage), heard("u1", usage), server.SpeechStarted(item_id="u1")) == Usage()


@pytest.mark.row("O9")
def test_what_is_no_number_counts_nothing() -> None:
    odd = {"input_tokens": "12", "output_tokens": -4, "input_token_details": 5, "output_token_details": {"text": 1}}
    assert total(done("r1", odd | {"input_token_details": {"text_tokens": float("inf")}})) == Usage(responses=1)
    assert total(done("r1", odd)) == Usage(responses=1)


@pytest.mark.row("O9")
def test_the_sum_is_told_whenever_it_grows(session: Session) -> None:
    effects = feed(session, *said("u1"), created("r1"), done("r1", TOLD), done("r1", TOLD), *answered("r2", "Hi"))
    assert of(UsageChanged, effects) == [UsageChanged(COUNTED)]
    assert session.usage == COUNTED


@pytest.mark.row("O9")
def test_what_was_used_while_the_talk_ended_counts_too(session: Session) -> None:
    feed(session, *said("u1"), created("r1"))
    session.close(START)
    assert of(UsageChanged, feed(session, done("r1", TOLD, "cancelled"))) == [UsageChanged(COUNTED)]
    session.ended()
    assert feed(session, done("r2", TOLD)) == []


@pytest.mark.row("O9")
@pytest.mark.parametrize("usage", ["null", "[]", '"x"', "7"])
def test_a_usage_that_is_nonsense_does_not_cost_the_response(usage: str) -> None:
    payload = f'{{"type": "response.done", "response": {{"id": "r1", "status": "completed", "usage": {usage}}}}}'
    event = server.parse_server_event(payload)
    assert isinstance(event, server.ResponseDone)
    assert total(event) == Usage()


@pytest.mark.row("O9")
@pytest.mark.parametrize("told", ["1" + "0" * 400, "true", "-5", "1e308"])
def test_a_number_that_no_provider_can_mean_counts_nothing_and_costs_no_talk(session: Session, told: str) -> None:
    usage = f'{{"input_tokens":{told}}}'
    payload = f'{{"type":"response.done","response":{{"id":"r1","status":"completed","usage":{usage}}}}}'
    feed(session, *said("u1"), server.parse_server_event(payload))
    assert session.usage == Usage(responses=1)


@pytest.mark.row("O9")
def test_the_sum_of_huge_numbers_stays_a_number() -> None:
    used = total(heard("u1", {"seconds": 1e308}), heard("u2", {"seconds": 1e308}), heard("u3", {"seconds": 1.5}))
    assert used.transcription_seconds == 1.5
