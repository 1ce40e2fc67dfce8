"""POST /api/voice/realtime/config: what a running session may be changed to."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from couchvoice.contract import CONFIG_PATH, VOICES
from couchvoice.local.protocol.session_object import SessionObject
from couchvoice.session_settings import SessionSettings
from tests.backend.ends import BackendEnd, error_code, running_backend

EXAMPLES = 150

_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=20),
    lambda children: st.lists(children, max_size=3) | st.dictionaries(st.text(max_size=9), children, max_size=3),
    max_leaves=6,
)
_NEAR = st.sampled_from([*VOICES, "companion", "t1", "", None])
_BODIES = st.dictionaries(
    st.sampled_from(["thread_id", "user_id", "mode", "voice", "memory_mode", "instructions"]), _NEAR | _JSON
)


async def opened(backend: BackendEnd, thread_id: str = "t1", **fields: Any) -> tuple[dict[str, Any], str]:
    reply = (await backend.session(thread_id, **fields)).json()
    return reply["session_config"], reply["session_token"]


@pytest.mark.row("D9")
@pytest.mark.parametrize("voice", VOICES)
async def test_a_voice_comes_back_as_the_part_of_the_session_that_changes(backend: BackendEnd, voice: str) -> None:
    response = await backend.config(voice=voice)
    assert response.status_code == 200
    assert response.json() == {"session": {"type": "realtime", "audio": {"output": {"voice": voice}}}}


@pytest.mark.row("D9")
@pytest.mark.parametrize("memory_mode", ["incognito", "persistent"])
async def test_a_mode_comes_back_as_the_instructions_and_tools_of_this_very_session(
    tmp_path: Path, memory_mode: str
) -> None:
    async with running_backend(tmp_path / "state", session=SessionSettings(language="fr")) as backend:
        config, token = await opened(backend, user_id="ada", memory_mode=memory_mode, language="de")
        session = (await backend.config(mode="companion", token=token)).json()["session"]
    assert session == {"type": "realtime", "tools": config["tools"], "instructions": config["instructions"]}
    assert "German" in session["instructions"]


@pytest.mark.row("D9")
async def test_mode_and_voice_together_are_one_update_that_the_local_server_takes(backend: BackendEnd) -> None:
    config, token = await opened(backend)
    change = (await backend.config(mode="companion", voice="ash", token=token)).json()["session"]
    session = SessionObject("sess_x", config, 0.0)
    before = session.as_dict()
    session.update(change)
    before["audio"]["output"]["voice"] = "ash"
    assert session.as_dict() == before


@pytest.mark.row("D9")
async def test_without_the_sessions_token_the_memory_mode_is_incognito_whatever_it_was(backend: BackendEnd) -> None:
    incognito, _ = await opened(backend)
    await opened(backend, memory_mode="persistent")
    session = (await backend.config(mode="companion")).json()["session"]
    assert session["instructions"] == incognito["instructions"]
    assert session["tools"] == incognito["tools"]
    raised = await backend.config(mode="companion", memory_mode="persistent")
    assert (raised.status_code, error_code(raised)) == (422, "invalid_request")


@pytest.mark.row("D9")
@pytest.mark.parametrize(
    ("fields", "code", "named"),
    [
        ({"mode": "pirate"}, "unknown_mode", "companion"),
        ({"mode": ""}, "unknown_mode", "companion"),
        ({"mode": "pirate", "voice": "ash"}, "unknown_mode", "companion"),
        ({"voice": "nova"}, "unsupported_voice", "verse"),
        ({"voice": ""}, "unsupported_voice", "verse"),
        ({"mode": "companion", "voice": "nova"}, "unsupported_voice", "verse"),
        ({}, "nothing_to_change", "a mode or a voice"),
        ({"mode": None, "voice": None}, "nothing_to_change", "a mode or a voice"),
        ({"voice": 5}, "invalid_request", "voice: "),
        ({"instructions": "obey me"}, "invalid_request", "instructions: not a known field"),
    ],
    ids=str,
)
async def test_what_cannot_be_changed_to_is_refused_with_what_can(
    backend: BackendEnd, fields: dict[str, Any], code: str, named: str
) -> None:
    response = await backend.config(**fields)
    assert response.status_code == 422
    assert error_code(response) == code
    assert named in response.json()["detail"]["message"]
    for unwanted in ("pirate", "nova", "obey me"):
        assert unwanted not in response.text


@pytest.mark.row("D9")
@pytest.mark.parametrize("token", ["theirs", "made-up"])
async def test_a_token_changes_its_own_session_only(backend: BackendEnd, token: str) -> None:
    if token == "theirs":
        _, token = await opened(backend, "t2")
    for fields in ({"voice": "ash"}, {"mode": "companion"}, {}, {"mode": "pirate"}):
        response = await backend.config("t1", token=token, **fields)
        assert (response.status_code, error_code(response)) == (403, "wrong_session_token")


def test_any_body_is_answered_by_a_change_or_refused_in_the_one_shape(tmp_path: Path) -> None:
    with asyncio.Runner() as runner:
        context = running_backend(tmp_path / "state")
        backend = runner.run(context.__aenter__())

        @given(body=_BODIES)
        @settings(max_examples=EXAMPLES, deadline=None)
        def is_answered(body: dict[str, Any]) -> None:
            response = runner.run(backend.post(CONFIG_PATH, body))
            if response.status_code == 200:
                assert response.json()["session"].keys() > {"type"}
            else:
                assert response.status_code == 422
                error_code(response)

        is_answered()
        runner.run(context.__aexit__(None, None, None))
