"""Changing a session that runs: what goes to the provider, who is told, and what stays when it is refused."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable

import pytest

from couchvoice.client.voice_session import VoiceSession
from couchvoice.core import session_update
from couchvoice.core.notices import Problem
from couchvoice.errors import BackendError, ConfigError, NotConnected, UpdateRefused
from tests.client.stage import Stage, staged, talking
from tests.e2e.minimal_backend import Fault
from tests.patience import WAIT, until

SHORT = 0.1  # seconds


async def the_update(stage: Stage, *, number: int = 1) -> dict[str, object]:
    await stage.peer.wait_for(lambda: len(stage.peer.of("session.update")) >= number)
    update: dict[str, object] = stage.peer.of("session.update")[number - 1]
    return update


@pytest.mark.row("D10")
async def test_the_speed_is_changed_when_the_provider_says_so():
    async with talking() as stage:
        changing = asyncio.create_task(stage.session.set_speed(1.25))
        update = await the_update(stage)
        assert update["session"] == {"type": "realtime", "audio": {"output": {"speed": 1.25}}}
        assert not changing.done()
        stage.peer.send("session.updated", session={"type": "realtime"})
        await asyncio.wait_for(changing, WAIT)


@pytest.mark.row("D10")
async def test_a_speed_that_no_provider_takes_is_not_asked_for():
    async with talking() as stage:
        with pytest.raises(ConfigError):
            await stage.session.set_speed(2)
        assert not stage.peer.of("session.update")


@pytest.mark.row("E8")
async def test_the_modality_is_changed_in_the_words_of_the_reference():
    async with talking() as stage:
        changing = asyncio.create_task(stage.session.set_modalities("text"))
        update = await the_update(stage)
        assert update["session"] == {"type": "realtime", "output_modalities": ["text"]}
        stage.peer.send("session.updated", session={"type": "realtime"})
        await changing


@pytest.mark.row("D9")
async def test_a_change_that_the_provider_refuses_raises_its_words_and_the_talk_goes_on():
    async with talking() as stage:
        changing = asyncio.create_task(stage.session.set_turn_detection({"type": "telepathy"}))
        update = await the_update(stage)
        error = {"type": "invalid_request_error", "code": "invalid_value", "message": "unknown detection"}
        stage.peer.send("error", error=error | {"event_id": update["event_id"]})
        with pytest.raises(UpdateRefused, match=r"unknown detection \(invalid_value\)") as caught:
            await changing
        assert caught.value.code == "invalid_value"
        stage.hold_turn()
        await stage.backend.wait_for("turn")
        assert not stage.of(Problem)


@pytest.mark.row("D9")
async def test_a_change_that_nobody_answers_is_given_up(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(session_update, "UPDATE_TIMEOUT", SHORT)
    async with talking() as stage:
        with pytest.raises(UpdateRefused) as caught:
            await stage.session.set_speed(1.0)
        assert caught.value.code == "update_timeout"
        assert stage.session.is_connected


@pytest.mark.row("D9")
async def test_changes_are_sent_one_after_the_other():
    async with talking() as stage:
        changing = asyncio.gather(stage.session.set_speed(0.5), stage.session.set_modalities("text"))
        await the_update(stage)
        stage.peer.send("session.updated", session={"type": "realtime"})
        await the_update(stage, number=2)
        stage.peer.send("session.updated", session={"type": "realtime"})
        await changing
        assert [list(update["session"]) for update in stage.peer.of("session.update")] == [
            ["type", "audio"],
            ["type", "output_modalities"],
        ]


@pytest.mark.row("D9")
async def test_who_waits_no_longer_does_not_stand_in_the_way_of_the_next():
    async with talking() as stage:
        first = asyncio.create_task(stage.session.set_speed(0.5))
        await the_update(stage)
        first.cancel()
        second = asyncio.create_task(stage.session.set_speed(0.75))
        await asyncio.gather(first, return_exceptions=True)
        stage.peer.send("session.updated", session={"type": "realtime"})
        await the_update(stage, number=2)
        stage.peer.send("session.updated", session={"type": "realtime"})
        await asyncio.wait_for(second, WAIT)


@pytest.mark.row("D9")
@pytest.mark.parametrize("way", ["disconnect", "abort"])
async def test_the_end_of_the_talk_ends_the_waiting(way: str):
    async with talking() as stage:
        changing = asyncio.create_task(stage.session.set_speed(0.5))
        await the_update(stage)
        if way == "abort":
            stage.session.abort()
        else:
            await stage.session.disconnect()
        with pytest.raises(UpdateRefused, match="the talk ended"):
            await asyncio.wait_for(changing, WAIT)


async def test_outside_a_talk_nothing_can_be_changed():
    async with staged() as stage:
        session = stage.session
        for change in (session.set_speed(1.0), session.set_turn_detection(None), session.configure(voice="sage")):
            with pytest.raises(NotConnected):
                await change
        for use_button in (session.begin_speaking, session.end_speaking):
            with pytest.raises(NotConnected):
                use_button()
        await stage.connect()
        await session.disconnect()
        with pytest.raises(NotConnected):
            await session.configure(mode="calm")
        assert "config" not in stage.backend.order()


@pytest.mark.row("D9")
async def test_what_the_backend_may_change_is_sent_as_it_is():
    changed = {"type": "realtime", "instructions": "Be brief.", "audio": {"output": {"voice": "sage"}}}
    async with talking() as stage:
        stage.backend.faults["config"] = Fault(status=200, body=json.dumps({"session": changed}))
        changing = asyncio.create_task(stage.session.configure(mode="brief", voice="sage"))
        update = await the_update(stage)
        assert update["session"] == changed
        stage.peer.send("session.updated", session=changed)
        await changing
        (asked,) = stage.backend.to("config")
        assert (asked["mode"], asked["voice"]) == ("brief", "sage")


@pytest.mark.row("D9")
async def test_what_the_backend_refuses_is_not_asked_of_the_provider():
    async with talking() as stage:
        with pytest.raises(BackendError):
            await stage.session.configure(voice="nobody")
        assert not stage.peer.of("session.update")
        assert stage.session.is_connected


@pytest.mark.row("O9")
async def test_what_was_used_can_be_asked_at_any_time():
    async with staged() as stage:
        assert stage.session.usage.responses == 0
        await stage.connect()
        stage.peer.send("response.created", response={"id": "resp_1"})
        usage = {"input_tokens": 7, "output_tokens": 5}
        stage.peer.send("response.done", response={"id": "resp_1", "status": "completed", "usage": usage})
        await until(lambda: stage.session.usage.responses)
        await stage.session.disconnect()
        assert (stage.session.usage.input_tokens, stage.session.usage.output_tokens) == (7, 5)


NO_CHANGES = [
    pytest.param(lambda session: session.set_speed("1"), id="speed-in-quotes"),
    pytest.param(lambda session: session.set_speed(True), id="speed-true"),
    pytest.param(lambda session: session.set_turn_detection("x"), id="detection-by-name"),
    pytest.param(lambda session: session.set_turn_detection({"type": object()}), id="no-json"),
    pytest.param(lambda session: session.set_modalities(object()), id="no-modality"),
]


@pytest.mark.row("D9")
@pytest.mark.parametrize("change", NO_CHANGES)
async def test_what_is_no_change_is_refused_at_once_and_stands_in_nobodys_way(
    change: Callable[[VoiceSession], Awaitable[None]],
):
    async with talking() as stage:
        with pytest.raises(ConfigError):
            await change(stage.session)
        assert not stage.peer.of("session.update")
        changing = asyncio.create_task(stage.session.set_speed(1.0))
        await the_update(stage)
        stage.peer.send("session.updated", session={"type": "realtime"})
        await asyncio.wait_for(changing, WAIT)


@pytest.mark.row("D9")
async def test_a_change_that_no_channel_takes_is_refused_at_once():
    async with talking() as stage:
        async with asyncio.timeout(session_update.UPDATE_TIMEOUT / 2):
            with pytest.raises(UpdateRefused) as caught:
                await stage.session.set_turn_detection({"type": "x" * 300_000})
        assert caught.value.code == "message_too_large"
        changing = asyncio.create_task(stage.session.set_speed(1.0))
        await the_update(stage)
        stage.peer.send("session.updated", session={"type": "realtime"})
        await asyncio.wait_for(changing, WAIT)


@pytest.mark.row("L10", "D9")
async def test_the_voice_of_a_mode_is_left_out_where_it_comes_too_late():
    changed = {"type": "realtime", "instructions": "Guide.", "audio": {"output": {"voice": "cedar"}}}
    async with talking() as stage:
        stage.backend.faults["config"] = Fault(status=200, body=json.dumps({"session": changed}))
        changing = asyncio.create_task(stage.session.configure(mode="guide"))
        update = await the_update(stage)
        known = {"type": "invalid_request_error", "code": "cannot_update_voice", "message": "too late"}
        stage.peer.send("error", error={**known, "event_id": update["event_id"]})
        again = await the_update(stage, number=2)
        assert again["session"] == {"type": "realtime", "instructions": "Guide."}
        stage.peer.send("session.updated", session=again["session"])
        await asyncio.wait_for(changing, WAIT)
