"""Talks in writing, from the command line: answers as text, the end of typing as the end, and what switches between."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
import wave
from pathlib import Path

import numpy as np
import pytest

from couchvoice.apps.talk import _set_up
from couchvoice.apps.talk_options import TalkOptions
from couchvoice.core.notices import Notice
from tests.apps.command import Command, Ended, run, started
from tests.client.stage import talking
from tests.e2e.minimal_backend import MinimalBackend
from tests.patience import WAIT

pytestmark = pytest.mark.timeout(60)

GREETING = "Good morning."
ANSWER = "Yes, I can hear you well. How are you today?"
AUDIBLE = 500  # of 32767
NO_PORTAUDIO = "import sys; sys.modules['sounddevice'] = None; from couchvoice.apps.cli import main; main()"


async def typed(talking: Command, *lines: str) -> Ended:
    """Type the lines, then nothing more."""
    for line in lines:
        talking.type(line)
    assert talking.process.stdin is not None  # a pipe, as started
    talking.process.stdin.close()
    return await talking.ended()


def audible_seconds(path: Path) -> float:
    with wave.open(str(path)) as wav:
        samples = np.frombuffer(wav.readframes(wav.getnframes()), "<i2")
        heard = np.flatnonzero(np.abs(samples.astype(int)) > AUDIBLE)
        return float(heard[-1] - heard[0]) / wav.getframerate()


def answers(ended: Ended) -> list[str]:
    return [line["text"] for line in ended.of("assistant_transcript") if line["final"]]


@pytest.mark.row("E7", "E8")
async def test_a_piped_question_is_answered_and_ends_the_talk() -> None:
    async with started("talk", "--text", "--plain") as talking:
        ended = await typed(talking, "Is memory on?")
    assert ended.status == 0
    assert "you: Is memory on?" in ended.stdout
    assert "assistant: " in ended.stdout
    assert "1 turn" in ended.stdout.splitlines()[-1]


@pytest.mark.row("E8")
async def test_it_needs_no_sound_device_and_no_portaudio() -> None:
    async with started("talk", "--text", "--json", before=(sys.executable, "-c", NO_PORTAUDIO)) as talking:
        ended = await typed(talking, GREETING)
    assert (ended.status, answers(ended)) == (0, [ANSWER])
    assert "assistant_speaking" not in [line["state"] for line in ended.of("state")]


@pytest.mark.row("E8")
async def test_every_line_is_answered_before_the_talk_ends() -> None:
    async with started("talk", "--text", "--json") as talking:
        ended = await typed(talking, GREETING, "Is memory on?")
    assert ended.status == 0
    said = " ".join(line["user_text"] for line in ended.of("turn"))
    assert said == f"{GREETING} Is memory on?"


@pytest.mark.row("E8")
async def test_without_anything_typed_the_talk_just_ends() -> None:
    async with started("talk", "--text", "--json") as talking:
        ended = await typed(talking)
    assert (ended.status, ended.summary["turns"], ended.summary["usage"]) == (0, 0, None)


@pytest.mark.row("E8")
async def test_commands_switch_between_writing_and_speaking() -> None:
    async with started("talk", "--text", "--json") as talking:
        await talking.line_with(type="state", state="listening")
        talking.type("/voice")
        talking.type(GREETING)
        await talking.line_with(type="state", state="assistant_speaking")
        await talking.line_with(type="turn")
        ended = await typed(talking, "/text", GREETING)
    assert ended.status == 0
    assert "no sound will be heard" in ended.stderr
    assert answers(ended) == [ANSWER, ANSWER]
    states = [line["state"] for line in ended.of("state")]
    assert states.count("assistant_speaking") == 1
    assert [line["text"] for line in ended.of("user_transcript")] == [GREETING, GREETING]


@pytest.mark.row("E7")
async def test_a_slash_alone_makes_no_command() -> None:
    async with started("talk", "--text", "--json") as talking:
        ended = await typed(talking, "/dance")
    assert [line["text"] for line in ended.of("user_transcript")] == ["/dance"]


@pytest.mark.row("E8")
async def test_a_recording_is_heard_and_answered_in_writing(hello: Path) -> None:
    async with started("talk", "--text", "--input", str(hello), "--json") as talking:
        ended = await typed(talking)  # the end of typing means nothing: the recording speaks
    assert (ended.status, answers(ended)) == (0, [ANSWER])
    assert [line["user_text"] for line in ended.of("turn")] == [hello.with_suffix(".txt").read_text().strip()]
    assert "assistant_speaking" not in [line["state"] for line in ended.of("state")]


@pytest.mark.row("E10")
async def test_a_written_answer_is_spoken_by_this_machine(tmp_path: Path) -> None:
    output = tmp_path / "reply.wav"
    async with started("talk", "--text", "--speak-text", "--output", str(output), "--json") as talking:
        ended = await typed(talking, GREETING)
    assert (ended.status, answers(ended)) == (0, [ANSWER])
    assert "assistant_speaking" in [line["state"] for line in ended.of("state")]
    assert output.stat().st_size > 100_000  # bytes: a second and more, at 48 kHz


@pytest.mark.row("O9")
async def test_the_summary_says_what_was_used() -> None:
    async with started("talk", "--text", "--json") as talking:
        ended = await typed(talking, GREETING)
    usage = ended.summary["usage"]
    assert usage["responses"] == 1
    assert usage["output_tokens"] == usage["output_text_tokens"] > 0


@pytest.mark.row("D10")
async def test_the_first_answer_has_the_speed_that_was_asked_for(tmp_path: Path) -> None:
    lengths = []
    for speed in ("0.5", "1.5"):
        output = tmp_path / f"{speed}.wav"
        async with started("talk", "--text", "--speed", speed, "--output", str(output), "--json") as talking:
            ended = await typed(talking, "/voice", GREETING)
        assert (ended.status, answers(ended), ended.of("error")) == (0, [ANSWER], [])
        lengths.append(audible_seconds(output))
    assert lengths[0] > 1.5 * lengths[1]


@pytest.mark.row("D13")
async def test_the_language_is_the_backends_to_know(realtime: str, secret: str) -> None:
    with MinimalBackend(secret=secret) as backend:
        ends = ("--backend", backend.url, "--realtime-url", realtime)
        async with started("talk", *ends, "--text", "--language", "de", "--json") as talking:
            await talking.line_with(type="state", state="listening")
            talking.send(signal.SIGINT)
            await talking.ended()
    (session,) = backend.to("session")
    assert session["language"] == "de"


@pytest.mark.row("A10", "E8")
async def test_a_talk_that_ends_as_it_begins_complains_of_nothing() -> None:
    async with talking() as stage:
        shown: list[Notice] = []
        setting_up = asyncio.create_task(_set_up(stage.session, TalkOptions(text=True), shown.append))
        await stage.peer.wait_for(lambda: stage.peer.of("session.update"))
        await stage.session.disconnect()
        await asyncio.wait_for(setting_up, WAIT)
    assert shown == []


@pytest.mark.row("J8")
async def test_feedback_of_the_command_line_is_kept_with_the_talk(tmp_path):
    place = {"COUCHVOICE_STATE_DIR": str(tmp_path / "state")}
    talk = ("talk", "--text", "--json", "--memory", "persistent", "--thread", "t1", "--user", "ada")
    async with started(*talk, "--feedback", "negative", environment=place) as command:
        assert (await typed(command, GREETING)).status == 0
    status = await run("threads", "status", "t1", "--user", "ada", "--json", environment=place)
    assert json.loads(status.stdout)["feedback"] == "negative"


@pytest.mark.row("L10")
async def test_a_talk_is_there_for_what_its_mode_says_and_can_be_switched(tmp_path):
    modes = tmp_path / "modes"
    modes.mkdir()
    (modes / "butler.yaml").write_text("prompt: Be a butler.\ntools: []\n", encoding="utf-8")
    place = {"COUCHVOICE_STATE_DIR": str(tmp_path / "state"), "COUCHVOICE_MODES_DIR": str(modes)}
    lines = ("Is memory on?", "/mode pirate", "/mode companion", "Is memory on?")
    async with started("talk", "--text", "--json", "--mode", "butler", environment=place) as command:
        ended = await typed(command, *lines)
    assert ended.status == 0
    assert [line["tool_calls"] for line in ended.of("turn")] == [[], ["show_memory_status"]]
    (problem,) = ended.of("error")
    assert "choose one of butler, companion, guide, listener" in problem["message"]


@pytest.mark.row("L10")
async def test_a_mode_that_is_not_there_or_is_no_mode_is_said_in_a_sentence(tmp_path):
    place = {"COUCHVOICE_STATE_DIR": str(tmp_path / "state"), "COUCHVOICE_MODES_DIR": str(tmp_path)}
    unknown = await run("talk", "--text", "--mode", "pirate", environment=place)
    assert (unknown.status, "choose one of companion, guide, listener" in unknown.error) == (4, True)
    (tmp_path / "broken.yaml").write_text("prompt: x\nvoice: nova\n", encoding="utf-8")
    broken = await run("talk", "--text", environment=place)
    assert broken.status == 2
    assert "broken.yaml, line 2: unknown voice 'nova'" in broken.error
