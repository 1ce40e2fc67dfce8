"""VoiceSession as an application sees it: its members, its callbacks, its iterator."""

from __future__ import annotations

import asyncio

import pytest

from couchvoice.audio.frames import SAMPLE_RATE, AudioFrame
from couchvoice.core.notices import AssistantTranscript, StateChanged, TurnRecorded, UserTranscript
from couchvoice.core.server_events import ServerEvent, parse_server_event
from couchvoice.core.state import SessionState
from couchvoice.errors import MessageTooLarge, NotConnected
from tests.audio.tones import pcm16, tone
from tests.client.stage import ANSWER, QUESTION, staged, talking
from tests.e2e.minimal_backend import SESSION_CONFIG
from tests.patience import WAIT, until
from tests.transports.answering_peer import AnsweringPeer

# As applications know it.
MEMBERS = (
    "can_send",
    "connect",
    "disconnect",
    "error",
    "is_connected",
    "is_connecting",
    "is_speaking",
    "send_message",
    "session_config",
    "status",
    "transcript",
)


@pytest.mark.row("L4")
async def test_the_members_that_applications_know_are_there_in_every_state():
    async with staged() as stage:
        session = stage.session
        assert [name for name in MEMBERS if not hasattr(session, name)] == []
        assert (session.status, session.state) == ("disconnected", SessionState.IDLE)
        assert (session.transcript, session.error, session.session_config) == ((), None, {})
        assert not any((session.is_connected, session.is_connecting, session.is_speaking, session.can_send))
        assert (session.connect_ms, session.playout, session.reply, session.end_reply) == (None, None, None, None)
        connecting = asyncio.create_task(session.connect())
        await until(lambda: session.state is SessionState.CONNECTING)
        assert (session.status, session.is_connecting, session.can_send) == ("connecting", True, False)
        await stage.peer.opened.wait()
        stage.peer.send("session.created", session={"type": "realtime"})
        await connecting
        assert (session.status, session.is_connected, session.can_send) == ("connected", True, True)
        assert session.session_config == SESSION_CONFIG
        stage.ask()
        stage.begin_answer()
        await until(lambda: session.is_speaking)
        stage.end_answer()
        await until(lambda: not session.is_speaking)
        assert session.transcript == (QUESTION, ANSWER)
        await session.disconnect()
        assert (session.status, session.state) == ("disconnected", SessionState.ENDED)
        assert not any((session.is_connected, session.is_speaking, session.can_send))
        assert session.transcript == (QUESTION, ANSWER)


@pytest.mark.row("L4")
async def test_a_session_is_a_context_manager_and_an_iterator_of_everything_that_happens():
    async with staged() as stage:
        opening = asyncio.create_task(_say_created(stage.peer))
        async with stage.session as session:
            await opening
            assert session.is_connected
            stage.hold_turn()
            await stage.told(TurnRecorded)
        await until(lambda: stage.of(StateChanged)[-1].state is SessionState.ENDED)
        kinds = [type(notice) for notice in stage.notices]
        assert kinds.index(UserTranscript) < kinds.index(AssistantTranscript) < kinds.index(TurnRecorded)
        assert stage.backend.order() == ["session", "turn", "end"]


async def _say_created(peer: AnsweringPeer) -> None:
    await peer.opened.wait()
    peer.send("session.created", session={"type": "realtime"})


@pytest.mark.row("L4")
async def test_the_iterator_ends_with_the_talk_for_everybody_who_asks():
    async with talking() as stage:
        await stage.session.disconnect()
        async with asyncio.timeout(WAIT):
            for _ in range(3):
                assert [notice async for notice in stage.session] == []


@pytest.mark.row("L4")
async def test_without_auto_connect_the_context_only_disconnects():
    async with staged(auto_connect=False) as stage:
        async with stage.session as session:
            assert session.status == "disconnected"
            await stage.connect()
        assert stage.backend.order() == ["session", "end"]


@pytest.mark.row("L4")
async def test_an_error_in_the_body_disconnects_all_the_same():
    async def talk() -> None:
        async with stage.session:
            await stage.connect()
            raise ZeroDivisionError

    async with staged(auto_connect=False) as stage:
        with pytest.raises(ZeroDivisionError):
            await talk()
        assert stage.backend.order() == ["session", "end"]


@pytest.mark.row("L4")
async def test_callbacks_tell_words_sound_and_status():
    words: list[tuple[str, bool]] = []
    sound: list[AudioFrame] = []
    async with talking(on_transcript=lambda text, final: words.append((text, final)), on_audio=sound.append) as stage:
        stage.hold_turn()
        await stage.told(TurnRecorded)
        await until(lambda: len(sound) > 25)
    assert words[-1] == (QUESTION, True)
    assert {(frame.samples.dtype.name, frame.samples.size, frame.rate) for frame in sound} == {("int16", 960, 48_000)}
    assert stage.statuses == ["connecting", "connected", "disconnected"]


@pytest.mark.row("L4")
async def test_callbacks_that_raise_end_nothing(caplog: pytest.LogCaptureFixture):
    def fail(*_: object) -> None:
        raise RuntimeError("a bug in the application")

    names = ("on_transcript", "on_audio", "on_error", "on_connection_change")
    async with talking(**dict.fromkeys(names, fail)) as stage:
        stage.hold_turn()
        await stage.told(TurnRecorded)
        await until(lambda: stage.session.playout is not None and stage.session.playout.played_ms > 0)
        stage.peer.send("error", error={"code": "session_expired", "message": "over"})
        async with asyncio.timeout(WAIT):
            await stage.session.wait_ended()
        assert stage.backend.order() == ["session", "turn", "end"]
    assert "a callback of the application failed" in caplog.text


@pytest.mark.row("E7")
async def test_a_typed_line_is_said_to_the_provider_and_recorded_with_its_answer():
    async with talking() as stage:
        stage.session.send_message("Is it raining?")
        await stage.peer.wait_for(lambda: stage.peer.of("response.create"))
        (item,) = stage.peer.of("conversation.item.create")
        assert item["item"]["content"] == [{"type": "input_text", "text": "Is it raining?"}]
        stage.begin_answer("No.")
        stage.end_answer()
        await stage.told(TurnRecorded)
        (turn,) = stage.backend.to("turn")
        assert (turn["user_text"], turn["assistant_text"]) == ("Is it raining?", "No.")


@pytest.mark.row("E7")
async def test_bytes_of_a_terminal_that_are_no_text_are_replaced_instead_of_ending_the_talk():
    async with talking() as stage:
        stage.session.send_message("caf\udce9")
        await stage.peer.wait_for(lambda: stage.peer.of("conversation.item.create"))
        (item,) = stage.peer.of("conversation.item.create")
        assert item["item"]["content"][0]["text"] == "caf?"


@pytest.mark.row("A4", "E7")
async def test_nothing_can_be_said_before_the_channel_is_open_nor_after_the_talk():
    async with staged() as stage:
        with pytest.raises(NotConnected):
            stage.session.send_message("hello?")
        with pytest.raises(NotConnected):
            stage.session.interrupt()
        with pytest.raises(NotConnected):
            await stage.session.quiet()
        connecting = asyncio.create_task(stage.session.connect())
        await until(lambda: stage.session.is_connecting)
        with pytest.raises(NotConnected) as caught:
            stage.session.send_message("hello?")
        assert "connecting" in str(caught.value)
        await connecting
        await stage.session.disconnect()
        with pytest.raises(NotConnected):
            stage.session.send_message("hello?")
        assert stage.peer.messages == []


async def test_interrupting_cancels_the_answer_that_is_being_made():
    async with talking() as stage:
        stage.ask()
        stage.begin_answer()
        await until(lambda: stage.session.is_speaking)
        stage.session.interrupt()
        await stage.peer.wait_for(lambda: stage.peer.of("response.cancel"))


async def test_quiet_returns_when_nobody_owes_anything():
    async with talking() as stage:
        await asyncio.wait_for(stage.session.quiet(), WAIT)
        stage.ask()
        await stage.told(UserTranscript)
        waiting = asyncio.create_task(stage.session.quiet())
        stage.begin_answer()
        await stage.told(AssistantTranscript)
        assert not waiting.done()
        stage.end_answer()
        await asyncio.wait_for(waiting, WAIT)
        await stage.told(TurnRecorded)


NONSENSE = [
    "",
    "no json",
    "[1, 2]",
    '{"type": 5}',
    '{"type": "response.done"}',
    '{"type": "surprise", "data": {"a": [1]}}',
    '{"type": "error", "error": null}',
    '{"type": "response.created", "response": {"id": "' + "x" * 60_000 + '"}}',
    "[" * 50_000,
    '{"type": "x", "n": ' + "9" * 5_000 + "}",
    '{"type": "\\ud800"}',
    b"\x00\xff",
]


async def test_nonsense_from_the_provider_is_dropped_and_the_talk_goes_on():
    async with talking() as stage:
        for message in NONSENSE:
            stage.peer.send_raw(message)
        await stage.peer.send_as_text(b"\xff\xfe")
        stage.ask()
        await stage.told(UserTranscript)
        assert stage.session.is_connected
        assert stage.session.error is None


async def test_of_notices_that_nobody_reads_the_last_ones_are_kept(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("couchvoice.client.audience.MAX_UNREAD_NOTICES", 3)
    async with talking(watched=False) as stage:
        stage.hold_turn()
        await until(lambda: stage.session.transcript == (QUESTION, ANSWER))
        await stage.session.disconnect()
        states = [notice.state for notice in [n async for n in stage.session] if isinstance(notice, StateChanged)]
    assert states[-2:] == [SessionState.FINALIZING, SessionState.ENDED]


async def test_what_is_said_into_a_connection_that_is_just_ending_raises_nothing():
    async with talking() as stage:
        assert stage.peer.channel is not None  # it is open
        stage.peer.channel.close()
        while stage.session.can_send:
            stage.session.send_message("Are you there?")
            await asyncio.sleep(0)
        await stage.session.wait_ended()
        assert stage.session.status == "error"


async def test_a_typed_line_that_no_channel_takes_is_refused_before_it_is_a_turn():
    async with talking() as stage:
        with pytest.raises(MessageTooLarge):
            stage.session.send_message("y" * 300_000)
        stage.session.send_message("   ")
        await stage.session.disconnect()
        assert stage.of(UserTranscript) == []


@pytest.mark.row("E1")
async def test_a_provider_may_send_its_events_as_bytes():
    async with talking() as stage:
        send = stage.peer.send_raw
        stage.peer.send_raw = lambda message: send(message.encode() if isinstance(message, str) else message)
        stage.hold_turn()
        await until(lambda: bool(stage.of(TurnRecorded)))
        assert stage.session.transcript == (QUESTION, ANSWER)


@pytest.mark.row("E1")
async def test_an_event_that_cannot_be_served_ends_nothing(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    def parse(payload: str) -> ServerEvent:
        if "poison" in payload:
            raise ZeroDivisionError
        return parse_server_event(payload)

    monkeypatch.setattr("couchvoice.client.client.parse_server_event", parse)
    async with talking() as stage:
        stage.peer.send("poison")
        stage.hold_turn()
        await stage.told(TurnRecorded)
        client = stage.session._client
        assert client is not None  # it is connected
        assert client.session.malformed_messages == 1
    assert "could not be served" in caplog.text


@pytest.mark.row("A10", "E10")
async def test_an_answer_that_our_own_voice_speaks_is_cut_by_the_end_of_the_talk():
    async def speak(text: str) -> AudioFrame:
        return AudioFrame(pcm16(tone(30.0)), SAMPLE_RATE)

    async with talking(speak_text=speak) as stage:
        stage.ask()
        say = stage.peer.send
        say("response.created", response={"id": "resp_1"})
        say("response.output_text.done", response_id="resp_1", text=ANSWER)
        say("response.done", response={"id": "resp_1", "status": "completed", "output": []})
        await until(lambda: stage.session.is_speaking)
        await stage.session.disconnect()
    (turn,) = stage.backend.to("turn")
    assert (turn["assistant_text"], turn["outcome"]) == (ANSWER, "interrupted")
