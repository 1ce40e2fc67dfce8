from __future__ import annotations

from dataclasses import replace

import pytest

from couchvoice.apps.tally import Tally, percentile
from couchvoice.core.notices import (
    AssistantTranscript,
    Interrupted,
    Notice,
    Problem,
    ToolActivity,
    TurnRecorded,
    UsageChanged,
)
from couchvoice.core.usage import Usage
from tests.apps.examples import ALL, summary, turn

SOUND = ("concealed_ms", "underruns", "recovered_ms", "stretched_ms", "lost_packets", "late_packets", "delay_ms")


def test_a_talk_of_nothing_has_figures_that_are_not_known():
    assert summary(connect_ms=None, audio=None, provider=None, finalized=False, exit_status=4).as_line() == {
        "type": "summary",
        "turns": 0,
        "recorded": 0,
        "finalized": False,
        "provider": None,
        "transport": "webrtc",
        "connect_ms": None,
        "first_response_ms": None,
        "response_ms": {"p50": None, "p95": None},
        "first_transcript_ms": {"p50": None, "p95": None},
        "stt_ms": {"p50": None, "p95": None},
        "tool_ms": {"p50": None, "p95": None},
        "audio": dict.fromkeys(SOUND),
        "barge_in_ms": {"p50": None, "p95": None},
        "usage": None,
        "exit": 4,
    }


def test_turns_are_counted_by_what_became_of_them():
    tally = Tally()
    for notice in ALL:
        tally.add(notice)
    assert (tally.turns, tally.recorded, tally.refused) == (2, 1, 1)


def test_the_first_latency_is_the_first_and_not_the_smallest():
    tally = Tally()
    for index, ms in enumerate([900.0, None, 700.0, 800.0], 1):
        tally.add(TurnRecorded(turn(ms=ms, index=index), recorded=True, accepted=True))
    line = summary(tally).as_line()
    assert line["first_response_ms"] == 900.0
    assert line["response_ms"] == {"p50": 800.0, "p95": 900.0}
    assert line["connect_ms"] == 45.3
    assert line["audio"] == dict.fromkeys(SOUND, 0) | {"concealed_ms": 40, "underruns": 2}


@pytest.mark.row("N4")
def test_words_and_tools_have_their_figures():
    tally = Tally()
    told = replace(turn(), timings={"first_transcript_ms": 700.0, "stt_ms": 120.0})
    tally.add(TurnRecorded(told, recorded=True, accepted=True))
    for status, ms in (("started", None), ("completed", 300.0), ("failed", 15.5), ("generating", 2.0)):
        tally.add(ToolActivity("lookup", "call_1", status, ms))
    line = summary(tally).as_line()
    assert line["first_transcript_ms"] == {"p50": 700.0, "p95": 700.0}
    assert line["stt_ms"] == {"p50": 120.0, "p95": 120.0}
    assert line["tool_ms"] == {"p50": 15.5, "p95": 300.0}


@pytest.mark.row("P5")
def test_the_figures_of_interruptions_are_summed_up_where_a_card_told_them():
    tally = Tally()
    for ms in (12.0, None, 9.5, 30.0):
        tally.add(Interrupted(stop_ms=ms))
    assert summary(tally).as_line()["barge_in_ms"] == {"p50": 12.0, "p95": 30.0}


@pytest.mark.row("O9")
def test_what_was_used_is_the_last_sum_that_was_told():
    tally = Tally()
    for tokens in (5, 12):
        tally.add(UsageChanged(Usage(responses=1, input_tokens=tokens)))
    used = summary(tally).as_line()["usage"]
    assert used == {
        "responses": 1,
        "input_tokens": 12,
        "input_text_tokens": 0,
        "input_audio_tokens": 0,
        "cached_tokens": 0,
        "output_tokens": 0,
        "output_text_tokens": 0,
        "output_audio_tokens": 0,
        "transcription_tokens": 0,
        "transcription_seconds": 0.0,
    }


@pytest.mark.parametrize(
    ("values", "percent", "expected"),
    [([], 50, None), ([7.0], 50, 7.0), ([7.0], 95, 7.0), ([1.0, 2.0], 50, 1.0), ([1.0, 2.0], 95, 2.0)],
)
def test_a_percentile_is_one_of_the_values(values: list[float], percent: int, expected: float | None):
    assert percentile(values, percent) == expected


def test_of_a_hundred_values_the_95th_is_the_95th_percentile():
    assert percentile([float(n) for n in range(1, 101)], 95) == 95.0


ANSWER = AssistantTranscript("resp_1", "Hi.", final=True)
REFUSED = Problem("message_too_large", "say it in parts")
LATE = Problem("response_timeout", "no answer")
MISSING = Problem("answer_missing", "no answer")


@pytest.mark.parametrize(
    ("notices", "answered"),
    [
        ([], True),
        ([ANSWER], True),
        ([REFUSED], False),
        ([LATE], False),
        ([LATE, ANSWER], True),
        ([ANSWER, MISSING], False),
        ([Problem("invalid_value", "what was that?")], True),
    ],
)
def test_whoever_said_something_was_answered_or_not(notices: list[Notice], answered: bool):
    tally = Tally()
    for notice in notices:
        tally.add(notice)
    assert tally.answered is answered
