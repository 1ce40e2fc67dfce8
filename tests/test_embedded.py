"""Both offline ends in this process: what starts, what does not, and that nothing of it is left."""

from __future__ import annotations

from pathlib import Path

import pytest

from couchvoice.contract import SESSION_PATH, SessionReply, SessionRequest
from couchvoice.embedded import (
    BACKEND_URL,
    REALTIME_URL,
    EngineOptions,
    ServerOptions,
    embedded_ends,
    running_realtime_app,
    teach,
)
from couchvoice.errors import ConfigError
from couchvoice.private import Private
from couchvoice.settings import Settings
from couchvoice.transports.http import HttpClient
from tests.leftovers import nothing_left

FIRST_TALK = Path(__file__).parents[1] / "fixtures" / "first-talk.wav"


async def opened_session(app: object) -> SessionReply:
    """What the embedded backend answers to a session request."""
    body = SessionRequest(thread_id="t").model_dump_json(exclude_none=True).encode()
    async with HttpClient(BACKEND_URL, app=app) as http:
        reply = await http.post(BACKEND_URL + SESSION_PATH, body, {"Content-Type": "application/json"}, within=5.0)
    assert reply.ok, reply.body
    return SessionReply.model_validate_json(reply.body)


@pytest.mark.row("O4")
async def test_the_two_ends_know_each_other_without_a_port_and_leave_nothing(tmp_path: Path):
    async with embedded_ends(Settings(state_dir=tmp_path), phrases=False) as ends, nothing_left():
        reply = await opened_session(ends.backend_app)
    assert reply.client_secret.startswith("ek_")
    assert reply.calls_url == f"{REALTIME_URL}/realtime/calls"
    assert reply.provider == "local"


async def test_a_provider_somewhere_else_is_given_no_local_server(tmp_path: Path):
    elsewhere = Settings(state_dir=tmp_path, realtime_url="http://127.0.0.1:1/v1")
    async with embedded_ends(elsewhere) as ends:
        assert ends.realtime_app is None
    paid = Settings(state_dir=tmp_path, provider="openai", openai_api_key=Private("sk-1"))
    async with embedded_ends(paid) as ends:
        assert ends.realtime_app is None


async def test_only_a_recording_with_its_text_is_taught_and_whoever_is_elsewhere_needs_none(tmp_path: Path):
    async with embedded_ends(Settings(state_dir=tmp_path), phrases=False) as ends:
        await teach(ends.realtime_app, [FIRST_TALK])
        with pytest.raises(ConfigError, match=r"cannot read .*nobody\.txt"):
            await teach(ends.realtime_app, [tmp_path / "nobody.wav"])
    elsewhere = Settings(state_dir=tmp_path, realtime_url="http://127.0.0.1:1/v1")
    async with embedded_ends(elsewhere) as ends:
        await teach(ends.realtime_app, [FIRST_TALK])


@pytest.mark.parametrize("key", [None, Private("")], ids=["none", "empty"])
async def test_a_paid_provider_without_a_key_is_refused_before_anything_starts(tmp_path: Path, key: Private | None):
    async with nothing_left():
        with pytest.raises(ConfigError, match="set OPENAI_API_KEY, or use --provider local"):
            async with embedded_ends(Settings(state_dir=tmp_path, provider="openai", openai_api_key=key)):
                raise AssertionError("it must not start")


async def test_a_database_address_that_cannot_be_read_is_refused(tmp_path: Path):
    async with nothing_left():
        with pytest.raises(ConfigError, match="database URL"):
            async with embedded_ends(Settings(state_dir=tmp_path, database_url="nonsense"), phrases=False):
                raise AssertionError("it must not start")


async def test_before_the_first_turn_nothing_is_written(tmp_path: Path):
    state = tmp_path / "state"
    async with embedded_ends(Settings(state_dir=state), phrases=False) as ends:
        await opened_session(ends.backend_app)
    assert not state.exists()


@pytest.mark.parametrize("option", ["recordings", "replies"])
async def test_engines_that_cannot_work_are_refused_before_anything_starts(option: str, tmp_path: Path):
    missing = tmp_path / "nothing"
    engines = EngineOptions(recordings=[missing]) if option == "recordings" else EngineOptions(replies=missing)
    async with nothing_left():
        with pytest.raises(ConfigError, match="nothing"):
            async with running_realtime_app(engines):
                raise AssertionError("it must not start")


async def test_the_options_of_the_server_reach_it():
    options = ServerOptions(api_key="mine", beta=True)
    async with (
        running_realtime_app(EngineOptions(phrases=False), options) as app,
        app.asgi.router.lifespan_context(app.asgi),
        HttpClient(REALTIME_URL, app=app.asgi) as http,
    ):
        for key, status in (("mine", 200), ("other", 401)):
            headers = {"Authorization": f"Bearer {key}"}
            reply = await http.post(f"{REALTIME_URL}/realtime/sessions", b"{}", headers, within=5.0)
            assert reply.status == status
