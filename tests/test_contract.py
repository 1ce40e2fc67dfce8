"""The wire models: strict in what is asked, lenient in what is answered."""

from __future__ import annotations

import json
from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from couchvoice.contract import (
    VOICES,
    ConfigReply,
    ConfigRequest,
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
    (ConfigRequest, {"thread_id": "t"}),
]
MINIMAL_REPLIES: list[tuple[type[BaseModel], dict[str, Any]]] = [
    (SessionReply, {"client_secret": "ek", "session_config": {}}),
    (ToolReply, {"output": {}}),
    (TurnReply, {"recorded": True}),
    (EndReply, {"finalized": False}),
    (ConfigReply, {"session": {}}),
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


UNUSABLE: list[tuple[type[BaseModel], str, object]] = [
    (SessionReply, "expires_at", "2026-01-01T00:00:00Z"),
    (SessionReply, "ice_servers", None),
    (SessionReply, "ice_servers", [{"username": "without a URL"}]),
    (SessionReply, "session_id", 17),
    (SessionReply, "provider", {}),
    (SessionReply, "session_config", None),
    (TurnReply, "message_count", "many"),
    (EndReply, "themes", None),
]


@pytest.mark.parametrize(("model", "name", "value"), UNUSABLE)
def test_an_optional_field_of_no_use_falls_back_to_its_default(model: type[BaseModel], name: str, value: object):
    minimal = dict(MINIMAL_REPLIES)[model]
    reply = model.model_validate_json(json.dumps(minimal | {name: value}))
    assert reply == model.model_validate(minimal)


@pytest.mark.row("F6")
@pytest.mark.parametrize(
    ("sent", "private"),
    [(["a"], ["a"]), ([], []), (None, []), ("a", ["a", "b"]), (["a", 7], ["a", "b"]), ({"a": True}, ["a", "b"])],
    ids=str,
)
def test_if_nobody_can_tell_which_fields_are_private_all_are(sent: object, private: list[str]):
    reply = ToolReply.model_validate_json(json.dumps({"output": {"a": 1, "b": 2}, "private_fields": sent}))
    assert reply.private_fields == private


@pytest.mark.parametrize(
    ("model", "name"),
    [
        (SessionReply, "client_secret"),
        (ToolReply, "output"),
        (TurnReply, "recorded"),
        (EndReply, "finalized"),
        (ConfigReply, "session"),
    ],
)
@pytest.mark.parametrize("value", [None, ["x"]], ids=str)
def test_a_required_field_of_no_use_refuses_the_reply(model: type[BaseModel], name: str, value: object):
    with pytest.raises(ValidationError):
        model.model_validate_json(json.dumps(dict(MINIMAL_REPLIES)[model] | {name: value}))


@pytest.mark.parametrize("thread", ["", "   ", "x" * 201, 5, None, ["t"]])
def test_a_thread_has_a_name_of_1_to_200_characters(thread: object):
    with pytest.raises(ValidationError):
        SessionRequest.model_validate_json(json.dumps({"thread_id": thread}))


@pytest.mark.row("D13")
@pytest.mark.parametrize("code", ["de", "DE", "pt-BR", "zh-Hant-TW", "es-419", "haw", "auto"])
def test_a_language_is_named_by_its_code_or_left_open(code: str):
    assert SessionRequest(thread_id="t", language=code).language == code


@pytest.mark.row("D13")
@pytest.mark.parametrize(
    "code", ["", "d", "German", "de_DE", "de-", "de-DE-", " de", "de\n", "d\u00e9", "de-DE-x-y", 5, ["de"]]
)
def test_what_is_no_code_of_a_language_is_refused(code: object):
    with pytest.raises(ValidationError):
        SessionRequest.model_validate_json(json.dumps({"thread_id": "t", "language": code}))


def test_incognito_is_what_nobody_asked_for():
    assert {SessionRequest(thread_id="t").memory_mode, EndRequest(thread_id="t").memory_mode} == {"incognito"}


def test_there_are_ten_voices():
    assert len(set(VOICES)) == 10
