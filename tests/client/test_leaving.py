"""How a talk ends: silence, the turns that are owed, one ``/end``; whoever ends it, in whatever state, in time."""

from __future__ import annotations

import asyncio
import time

import pytest

from couchvoice.client import letting_go
from couchvoice.core.notices import Problem, StateChanged, TurnRecorded
from couchvoice.core.state import SessionState
from couchvoice.errors import ConnectionLost, RealtimeError
from tests.client.stage import ANSWER, QUESTION, THREAD, staged, talking
from tests.e2e.minimal_backend import Fault
from tests.leftovers import nothing_left
from tests.patience import WAIT, until

SHORT = 0.3  # seconds
MEDIA_RELEASED = 1.0  # seconds, row A10
GONE = 3.0  # seconds, row A10
AT_ONCE = 0.5  # seconds, for a second Ctrl-C


@pytest.mark.row("A10", "J1")
async def test_ten_disconnects_in_a_talk_are_one_end_and_tell_the_far_end():
    async with nothing_left(), talking() as stage:
        await asyncio.gather(*(stage.session.disconnect() for _ in range(5)))
        for _ in range(5):
            await stage.session.disconnect()
        assert stage.backend.order() == ["session", "end"]
        assert stage.backend.to("end")[0]["thread_id"] == THREAD
        assert stage.session.end_reply is not None
        assert stage.session.end_reply.finalized
        assert not stage.session.end_failed
        assert stage.session.state is SessionState.ENDED
        assert stage.statuses == ["connecting", "connected", "disconnected"]
        assert stage.errors == []
        async with asyncio.timeout(WAIT):
            await stage.peer.gone.wait()
        await stage.peer.close()


@pytest.mark.row("J1")
async def test_the_turns_are_answered_before_the_one_end():
    async with talking() as stage:
        stage.backend.faults["turn"] = Fault(times=2)
        stage.hold_turn()
        await stage.backend.wait_for("turn")
        await stage.session.disconnect()
        assert stage.backend.order() == ["session", "turn", "turn", "turn", "end"]
        first, second, third = stage.backend.to("turn")
        assert first == second == third
        assert (first["user_text"], first["assistant_text"], first["outcome"]) == (QUESTION, ANSWER, "completed")
        (told,) = stage.of(TurnRecorded)
        assert (told.recorded, told.accepted) == (True, True)


@pytest.mark.row("I5", "J1")
async def test_a_turn_that_is_cut_by_leaving_is_recorded_as_interrupted_before_the_end():
    async with talking() as stage:
        stage.ask()
        stage.begin_answer("Sunny and")
        await until(lambda: stage.session.transcript[-1:] == ("Sunny and",))
        await stage.session.disconnect()
        assert stage.backend.order() == ["session", "turn", "end"]
        (turn,) = stage.backend.to("turn")
        assert (turn["user_text"], turn["assistant_text"], turn["outcome"]) == (QUESTION, "Sunny and", "interrupted")


@pytest.mark.row("I5", "J1")
@pytest.mark.parametrize("whose", ["channel", "peer"])
async def test_a_turn_whose_provider_is_lost_is_recorded_as_that_before_the_end(whose: str):
    async with nothing_left(), talking() as stage:
        stage.ask()
        stage.begin_answer("Sunny and")
        await until(lambda: stage.session.transcript[-1:] == ("Sunny and",))
        if whose == "channel":
            assert stage.peer.channel is not None  # it is open
            stage.peer.channel.close()
        else:
            await stage.peer.peer.close()
        async with asyncio.timeout(WAIT):
            await stage.session.wait_ended()
        assert stage.backend.order() == ["session", "turn", "end"]
        (turn,) = stage.backend.to("turn")
        assert turn["outcome"] == "connection_interrupted"
        assert (turn["user_text"], turn["assistant_text"]) == (QUESTION, "Sunny and")
        assert isinstance(stage.session.error, ConnectionLost)
        assert stage.errors == [stage.session.error]
        assert stage.session.status == "error"
        await stage.peer.close()


@pytest.mark.row("E9")
async def test_an_error_that_ends_the_session_ends_the_talk_with_its_debts_paid():
    async with talking() as stage:
        stage.hold_turn()
        await stage.told(TurnRecorded)
        stage.peer.send("error", error={"type": "x", "code": "session_expired", "message": "60 minutes are over"})
        async with asyncio.timeout(WAIT):
            await stage.session.wait_ended()
        assert stage.backend.order() == ["session", "turn", "end"]
        assert isinstance(stage.session.error, RealtimeError)
        assert stage.session.status == "expired"


@pytest.mark.row("E9")
async def test_an_error_that_ends_nothing_is_told_and_the_talk_goes_on():
    async with talking() as stage:
        stage.peer.send("error", error={"type": "x", "code": "invalid_value", "message": "what was that?"})
        await stage.told(Problem)
        stage.hold_turn()
        await stage.told(TurnRecorded)
        assert stage.session.error is None


@pytest.mark.row("J4")
async def test_a_talk_that_is_not_finalized_pays_its_turns_and_leaves_the_thread_open():
    async with talking(finalize=False) as stage:
        stage.hold_turn()
        await until(lambda: stage.session.transcript == (QUESTION, ANSWER))
        await stage.session.disconnect()
        assert stage.backend.order() == ["session", "turn"]
        assert stage.session.end_reply is None
        assert not stage.session.end_failed


@pytest.mark.row("A10")
@pytest.mark.parametrize("endpoint", ["turn", "end"])
async def test_a_backend_that_hangs_holds_up_neither_the_silence_nor_the_end(endpoint: str):
    async with nothing_left(), talking() as stage:
        stage.hold_turn()
        stage.backend.hanging.add(endpoint)
        await stage.backend.wait_for("turn")
        started = time.monotonic()
        await stage.session.disconnect()
        assert time.monotonic() - started < GONE
        assert stage.microphone.closed_at is not None
        assert stage.microphone.closed_at - started < MEDIA_RELEASED
        assert stage.loudspeaker.story == ["open", "close", "close"]
        assert stage.session.end_failed
        assert [problem.code for problem in stage.of(Problem)] == ["finalize_timeout"]
        assert [turn.accepted for turn in stage.of(TurnRecorded)] == [endpoint == "end"]
        await stage.peer.close()


@pytest.mark.row("A10", "J1")
async def test_whoever_waits_patiently_for_a_backend_that_hangs_can_still_leave_quickly():
    async with talking() as stage:
        stage.backend.hanging.add("end")
        patient = asyncio.create_task(stage.session.disconnect(within=WAIT))
        await stage.backend.wait_for("end")
        started = time.monotonic()
        await stage.session.disconnect(within=SHORT)
        assert time.monotonic() - started < GONE / 2
        await patient
        assert stage.backend.order() == ["session", "end"]


@pytest.mark.row("J1")
@pytest.mark.parametrize(
    "fault",
    [Fault(), Fault(status=409), Fault(status=200, body="<html>"), Fault(status=200, body="[]")],
    ids=["500", "409", "html", "list"],
)
async def test_an_end_that_is_not_accepted_is_told_and_not_repeated(fault: Fault):
    async with talking() as stage:
        stage.backend.faults["end"] = fault
        await stage.session.disconnect()
        assert stage.backend.order() == ["session", "end"]
        assert stage.session.end_failed
        assert stage.session.end_reply is None
        assert len(stage.of(Problem)) == 1
        assert stage.session.error is None


async def test_aborting_lets_go_of_everything_at_once_and_pays_nothing():
    async with nothing_left(), talking() as stage:
        stage.ask()
        stage.begin_answer()
        await until(lambda: stage.session.is_speaking)
        started = time.monotonic()
        stage.session.abort()
        await stage.session.wait_ended()
        assert time.monotonic() - started < AT_ONCE
        assert stage.backend.order() == ["session"]
        assert stage.session.state is SessionState.ENDED
        assert stage.session.status == "disconnected"
        await asyncio.wait_for(stage.session.quiet(), WAIT)
        await stage.peer.close()


@pytest.mark.parametrize("endpoint", ["turn", "end"])
async def test_aborting_while_the_backend_hangs_ends_the_waiting(endpoint: str):
    async with nothing_left(), talking() as stage:
        stage.backend.hanging.add(endpoint)
        stage.hold_turn()
        await stage.backend.wait_for("turn")
        leaving = asyncio.create_task(stage.session.disconnect())
        await until(lambda: stage.session.state is SessionState.FINALIZING)
        await stage.backend.wait_for(endpoint)
        started = time.monotonic()
        stage.session.abort()
        await leaving
        assert time.monotonic() - started < AT_ONCE
        await stage.peer.close()


async def test_aborting_again_and_again_cuts_no_release_short():
    async with nothing_left(), talking() as stage:
        ending = asyncio.create_task(stage.session.wait_ended())
        while not ending.done():
            stage.session.abort()
            await asyncio.sleep(0)
        assert stage.microphone.story[-1] == "close"
        assert stage.of(StateChanged)[-1].state is SessionState.ENDED
        async with asyncio.timeout(WAIT):
            await stage.peer.gone.wait()
        await stage.peer.close()


@pytest.mark.row("A10", "J1")
async def test_leaving_between_the_open_channel_and_session_created_still_ends_the_thread():
    async with nothing_left(), staged() as stage:
        connecting = asyncio.create_task(stage.session.connect())
        await until(lambda: stage.session.state is SessionState.WARMING)
        stage.session.send_message("I am off.")
        await stage.session.disconnect()
        assert stage.backend.order()[-1] == "end"
        assert stage.backend.order().count("end") == 1
        await asyncio.gather(connecting, return_exceptions=True)
        await stage.peer.close()


async def test_a_far_end_that_goes_while_we_leave_is_no_failure():
    async with talking() as stage:
        stage.ask("")  # its words never come: they are waited for
        stage.backend.hanging.add("end")
        leaving = asyncio.create_task(stage.session.disconnect(within=SHORT))
        await until(lambda: stage.session.state is SessionState.FINALIZING)
        await stage.peer.peer.close()
        await leaving
        assert stage.session.error is None
        assert stage.errors == []
        assert stage.session.status == "disconnected"


async def test_words_that_come_late_are_waited_for_a_second_and_recorded():
    async with talking() as stage:
        say = stage.peer.send
        say("input_audio_buffer.speech_started", item_id="item_1", audio_start_ms=0)
        say("input_audio_buffer.speech_stopped", item_id="item_1", audio_end_ms=500)
        say("input_audio_buffer.committed", item_id="item_1")
        stage.begin_answer()
        stage.end_answer()
        await until(lambda: stage.session.transcript == (ANSWER,))
        leaving = asyncio.create_task(stage.session.disconnect())
        await until(lambda: stage.session.state is SessionState.FINALIZING)
        say("conversation.item.input_audio_transcription.completed", item_id="item_1", transcript=QUESTION)
        await leaving
        assert [turn["user_text"] for turn in stage.backend.to("turn")] == [QUESTION]


async def test_the_microphone_is_not_read_after_the_talk():
    async with talking() as stage:
        await until(lambda: "read" in stage.microphone.story)
        await stage.session.disconnect()
        read = stage.microphone.story.count("read")
        after = stage.microphone.story.index("close")
        assert "read" not in stage.microphone.story[after:]
        await asyncio.sleep(0.05)
        assert stage.microphone.story.count("read") == read


async def test_a_device_that_does_not_let_go_costs_its_second_and_no_more(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(letting_go, "RELEASE_TIMEOUT", SHORT)
    async with talking() as stage:
        stage.microphone.hangs = True
        started = time.monotonic()
        await stage.session.disconnect()
        assert time.monotonic() - started < 4 * SHORT
        assert stage.backend.order() == ["session", "end"]


async def test_whoever_is_cancelled_while_disconnecting_leaves_nothing_running():
    async with nothing_left(), talking() as stage:
        stage.backend.hanging.add("end")
        leaving = asyncio.create_task(stage.session.disconnect(within=WAIT))
        await until(lambda: stage.backend.order()[-1] == "end")
        leaving.cancel()
        with pytest.raises(asyncio.CancelledError):
            await leaving
        assert stage.session.state is SessionState.ENDED
        await stage.peer.close()
