"""The order of a connection, and what is left when a step of it fails: nothing."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from dataclasses import dataclass

import pytest
from starlette.responses import Response

from couchvoice.client import letting_go
from couchvoice.client.endpoints import Endpoints
from couchvoice.core.notices import StateChanged
from couchvoice.core.state import SessionState
from couchvoice.errors import (
    AudioDeviceError,
    ConfigError,
    ConnectionLost,
    ConnectTimeout,
    CouchvoiceError,
    InvalidState,
    NotConnected,
    SdpExchangeError,
    TransportError,
    Unavailable,
)
from couchvoice.transports import webrtc
from tests.client.stage import Loudspeaker, Microphone, Stage, staged
from tests.e2e.minimal_backend import Fault
from tests.leftovers import nothing_left
from tests.patience import WAIT, until

SHORT = 0.4  # seconds


@pytest.fixture
def short_of_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webrtc, "CONNECT_TIMEOUT", SHORT)


@pytest.mark.row("A1", "A3", "A4")
async def test_first_the_session_then_the_microphone_then_the_offer_then_the_loudspeaker():
    async with staged() as stage:
        seen: list[tuple[int, int, int, int]] = []

        def look(sdp: str) -> str:
            opened = stage.microphone.story.count("open"), stage.loudspeaker.story.count("open")
            seen.append((len(stage.backend.to("session")), opened[0], len(stage.peer.offers), opened[1]))
            return sdp

        stage.peer.edit = look
        await stage.connect()
        assert seen == [(1, 1, 1, 0)]
        assert stage.loudspeaker.story == ["open"]
        assert stage.session.state is SessionState.LISTENING
        assert [notice.state.value for notice in stage.of(StateChanged)] == ["connecting", "warming", "listening"]
        assert stage.statuses == ["connecting", "connected"]


@pytest.mark.row("A4")
async def test_a_server_that_never_says_session_created_is_waited_for_one_second_and_no_more():
    async with staged() as stage:
        started = asyncio.get_running_loop().time()
        await stage.session.connect()
        assert 0.9 < asyncio.get_running_loop().time() - started < 2.0
        assert stage.session.connect_ms is not None
        assert stage.session.connect_ms < 900


@dataclass(frozen=True, slots=True)
class Failure:
    """A step of the connection that fails, and what is said of it."""

    prepare: Callable[[Stage], None]
    error: type[Exception] | tuple[type[Exception], ...]
    microphone: Callable[[], Microphone] = Microphone
    loudspeaker: Callable[[], Loudspeaker] = Loudspeaker
    opened: bool = True  # whether it came as far as the microphone


def _refuse_session(stage: Stage) -> None:
    stage.backend.faults["session"] = Fault(status=503)


def _refuse_offer(stage: Stage) -> None:
    stage.peer.refusal = Response(b"no", 500)


def _answer_from_elsewhere(stage: Stage) -> None:
    stage.peer.edit = lambda sdp: re.sub(r"a=ice-pwd:.*", "a=ice-pwd:0123456789012345678901", sdp)


def _another_certificate(stage: Stage) -> None:
    stage.peer.edit = lambda sdp: re.sub(r"(a=fingerprint:\S+) ..", r"\1 00", sdp)


def _be_deaf(stage: Stage) -> None:
    stage.peer.is_deaf = True


def _do_nothing(stage: Stage) -> None:
    pass


NO_DEVICE = AudioDeviceError("no such device")
FAILURES = {
    "session": Failure(_refuse_session, Unavailable, opened=False),
    "microphone": Failure(_do_nothing, AudioDeviceError, microphone=lambda: Microphone(fails=NO_DEVICE)),
    "sdp": Failure(_refuse_offer, SdpExchangeError),
    "ice": Failure(_answer_from_elsewhere, TransportError),
    "dtls": Failure(_another_certificate, TransportError),
    "channel": Failure(_be_deaf, ConnectTimeout),
    "loudspeaker": Failure(_do_nothing, AudioDeviceError, loudspeaker=lambda: Loudspeaker(fails=NO_DEVICE)),
    "bug": Failure(_do_nothing, ZeroDivisionError, microphone=lambda: Microphone(fails=ZeroDivisionError())),
}


@pytest.mark.row("A3")
@pytest.mark.usefixtures("short_of_patience")
@pytest.mark.parametrize("failure", FAILURES.values(), ids=FAILURES.keys())
async def test_a_step_that_fails_is_one_error_and_leaves_nothing(failure: Failure):
    async with nothing_left(), staged(microphone=failure.microphone(), loudspeaker=failure.loudspeaker()) as stage:
        failure.prepare(stage)
        with pytest.raises(failure.error) as caught:
            await stage.session.connect()
        # Before anybody says disconnect.
        assert stage.session.state is SessionState.ENDED
        assert stage.microphone.story[-1] == "close"
        assert stage.loudspeaker.story[-1] == "close"
        assert ("open" in stage.microphone.story) is failure.opened
        if isinstance(caught.value, CouchvoiceError):
            assert stage.errors == [caught.value]
            assert stage.session.error is caught.value
            assert stage.session.status == "disconnected"
        assert not stage.session.is_connected
        assert not stage.session.is_connecting
        await until(lambda: stage.of(StateChanged)[-1].state is SessionState.ENDED)
        assert "end" not in stage.backend.order()
        await stage.peer.close()


@pytest.mark.parametrize("ends", [{"backend_url": "foo"}, {"backend_url": "http://example.com"}], ids=["none", "plain"])
async def test_an_address_that_is_none_is_an_error_at_once_and_the_notices_end(ends: dict[str, str]):
    async with nothing_left(), staged(endpoints=Endpoints(**ends)) as stage:
        with pytest.raises(ConfigError):
            await stage.session.connect()
        assert [type(error) for error in stage.errors] == [ConfigError]
        assert stage.session.status == "disconnected"
        async with asyncio.timeout(WAIT):
            assert [notice async for notice in stage.session] == []
        await stage.session.disconnect()


async def test_nobody_knows_where_the_provider_is():
    async with staged() as stage:
        stage.session._connections._endpoints = Endpoints(backend_url="http://localhost", backend_app=stage.backend.app)
        with pytest.raises(ConfigError, match="did not say where the provider is"):
            await stage.session.connect()
        assert stage.microphone.story[-1] == "close"


async def test_a_provider_that_is_lost_before_it_is_ready_is_an_error_of_the_connection():
    async with nothing_left(), staged() as stage:
        connecting = asyncio.create_task(stage.session.connect())
        await until(lambda: stage.session.state is SessionState.WARMING)
        assert stage.peer.channel is not None  # it is open
        stage.peer.channel.close()
        with pytest.raises(ConnectionLost):
            await connecting
        assert stage.session.status == "error"
        assert [type(error) for error in stage.errors] == [ConnectionLost]
        await stage.peer.close()


@pytest.mark.row("A3")
@pytest.mark.parametrize("where", ["session", "sdp", "channel"])
async def test_connect_may_be_cancelled_at_any_step_and_leaves_nothing(where: str):
    async with nothing_left(), staged() as stage:
        await _hang(stage, where)
        connecting = asyncio.create_task(stage.session.connect())
        await _reached(stage, where)
        connecting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await connecting
        assert stage.session.state is SessionState.ENDED
        assert stage.session.status == "disconnected"
        await stage.peer.close()


@pytest.mark.row("A10")
@pytest.mark.parametrize("where", ["session", "sdp", "channel"])
async def test_ten_disconnects_while_connecting_have_the_effect_of_one(where: str):
    async with nothing_left(), staged() as stage:
        await _hang(stage, where)
        connecting = asyncio.create_task(stage.session.connect())
        await _reached(stage, where)
        started = asyncio.get_running_loop().time()
        leaving = []
        for _ in range(10):
            # Each in another step of the release that the first one began.
            leaving.append(asyncio.create_task(stage.session.disconnect()))
            await asyncio.sleep(0)
        await asyncio.gather(*leaving)
        assert asyncio.get_running_loop().time() - started < 1.0
        with pytest.raises(NotConnected):
            await connecting
        assert stage.errors == []
        assert stage.session.status == "disconnected"
        assert stage.microphone.story[-1:] != ["open"]
        assert "end" not in stage.backend.order()
        await stage.peer.close()


async def _hang(stage: Stage, where: str) -> None:
    match where:
        case "session":
            stage.backend.hanging.add("session")
        case "sdp":
            stage.peer.hangs = True
        case _:
            stage.peer.is_deaf = True


async def _reached(stage: Stage, where: str) -> None:
    if where == "session":
        await stage.backend.wait_for("session")
    else:
        async with asyncio.timeout(WAIT):
            await stage.peer.asked.wait()


@pytest.mark.row("A10")
async def test_disconnecting_what_was_never_connected_does_nothing_and_it_can_still_be_connected():
    async with staged() as stage:
        for _ in range(10):
            await stage.session.disconnect()
        assert stage.session.status == "disconnected"
        await stage.connect()
        assert stage.session.is_connected


async def test_a_session_is_used_once():
    async with staged() as stage:
        await stage.connect()
        with pytest.raises(InvalidState):
            await stage.session.connect()
        await stage.session.disconnect()
        with pytest.raises(InvalidState):
            await stage.session.connect()
        assert stage.backend.order().count("session") == 1


async def test_a_device_that_does_not_let_go_holds_up_nobody(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(letting_go, "RELEASE_TIMEOUT", SHORT)
    async with nothing_left(), staged() as stage:
        stage.microphone.hangs = True
        stage.peer.refusal = Response(b"no", 500)
        with pytest.raises(SdpExchangeError):
            await stage.session.connect()
        assert stage.loudspeaker.story == ["close"]
        await stage.peer.close()


async def test_a_device_that_breaks_while_it_is_closed_keeps_nothing_else_from_being_released(
    caplog: pytest.LogCaptureFixture,
):
    microphone = Microphone(fails_to_close=RuntimeError("the card is gone"))
    async with nothing_left(), staged(microphone=microphone) as stage:
        await stage.connect()
        await stage.session.disconnect()
        assert stage.backend.order() == ["session", "end"]
        assert stage.loudspeaker.story[-1] == "close"
        await stage.peer.close()
    assert "the microphone did not let go" in caplog.text
