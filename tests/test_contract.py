"""The wire models: strict in what is asked, lenient in what is answered."""

from __future__ import annotations

import json
from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from couchvoice.contract import (
    VOICES,
    EndReply,
    EndRequest,
    SessionReply,
    SessionRequest,
    ToolReply,
    ToolRequest,
    TurnReply,
    TurnRequest,
)

MINIMAL_REQUESTS: list[tuple[type[BaseModel], dict[str, Any]]] = [
    (SessionRequest, {"thread_id": "t"}),
    (ToolRequest, {"thread_id": "t", "tool_name": "x"}),
    (TurnRequest, {"thread_id": "t"}),
    (EndRequest, {"thread_id": "t"}),
]
MINIMAL_REPLIES: list[tuple[type[BaseModel], dict[str, Any]]] = [
    (SessionReply, {"client_secret": "ek", "session_config": {}}),
    (ToolReply, {"output": {}}),
    (TurnReply, {"recorded": True}),
    (EndReply, {"finalized": False}),
]


def names(value: object) -> str:
    return value.__name__ if isinstance(value, type) else ""


@pytest.mark.parametrize(("model", "body"), MINIMAL_REQUESTS, ids=names)
def test_a_request_needs_what_the_contract_stars_and_refuses_what_it_does_not_know(
    model: type[BaseModel], body: dict[str, Any]
):
    assert model.model_validate_json(json.dumps(body))
    for name in body:
        with pytest.raises(ValidationError):
            model.model_validate_json(json.dumps({key: value for key, value in body.items() if key != name}))
    with pytest.raises(ValidationError):
        model.model_validate_json(json.dumps(body | {"colour": "red"}))


@pytest.mark.parametrize(("model", "body"), MINIMAL_REPLIES, ids=names)
def test_the_minimal_reply_is_enough_and_unknown_fields_are_ignored(model: type[BaseModel], body: dict[str, Any]):
    assert model.model_validate_json(json.dumps(body | {"colour": "red", "nested": {"a": [1]}}))


@pytest.mark.parametrize("thread", ["", "   ", "x" * 201, 5, None, ["t"]])
def test_a_thread_has_a_name_of_1_to_200_characters(thread: object):
    with pytest.raises(ValidationError):
        SessionRequest.model_validate_json(json.dumps({"thread_id": thread}))


def test_incognito_is_what_nobody_asked_for():
    assert {SessionRequest(thread_id="t").memory_mode, EndRequest(thread_id="t").memory_mode} == {"incognito"}


def test_there_are_ten_voices():
    assert len(set(VOICES)) == 10
