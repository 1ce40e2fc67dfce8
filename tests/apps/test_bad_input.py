"""What cannot be: each is told in one sentence that names it, with the exit status that belongs to it."""

from __future__ import annotations

import signal
import struct
import sys
from pathlib import Path

import pytest
from starlette.responses import Response

from couchvoice.apps.talk import TalkOptions, talk
from couchvoice.contract import VOICES, MemoryMode
from couchvoice.core.notices import Problem, TurnRecorded
from couchvoice.settings import load_settings
from couchvoice.transports import webrtc
from tests.apps.command import Ended, run, started
from tests.apps.kept import KeptScreen
from tests.apps.serving import serving
from tests.audio.tones import tone, wav_bytes
from tests.e2e.minimal_backend import Fault, MinimalBackend
from tests.transports.answering_peer import SECRET, answering_peer

pytestmark = pytest.mark.timeout(60)

RATE = 8_000  # Hz
TWO_HOURS = 2 * 3600 * RATE * 2  # bytes
SHORT = 0.5  # seconds
NOBODY = "http://127.0.0.1:9"  # the port "discard"


def header(data: int) -> bytes:
    """Of a WAV that claims so many bytes of sound."""
    form = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, 1, RATE, 2 * RATE, 2, 16)
    return struct.pack("<4sI4s", b"RIFF", 36 + data, b"WAVE") + form + struct.pack("<4sI", b"data", data)


def told(ended: Ended, status: int, *words: str) -> None:
    """One error line, which has these words; the summary is last."""
    assert ended.status == ended.summary["exit"] == status, ended.stdout + ended.stderr
    (error,) = ended.of("error")
    assert error["code"]
    assert "\n" not in error["message"]
    for word in words:
        assert word in error["message"]


async def refused(wav: Path, **settings: str) -> str:
    """The one sentence of a talk that does not come about, held in this process."""
    screen = KeptScreen()
    status = await talk(load_settings(settings), TalkOptions(input=str(wav), output="none"), screen)
    assert status == 4
    assert [summary.exit_status for summary in screen.summaries] == [4]
    assert [notice for notice in screen.notices if isinstance(notice, Problem)] == []
    (error,) = screen.errors
    return str(error)


def _write(path: Path, contents: bytes | None) -> str:
    if contents is not None:
        path.write_bytes(contents)
    return str(path)


BAD_WAVS = [
    pytest.param(None, "no such file", id="no-such-file"),
    pytest.param(b"", "it is empty", id="nothing-in-it"),
    pytest.param(header(0), "no sound", id="no-sample-in-it"),
    pytest.param(header(TWO_HOURS), "no sound", id="two-hours-in-the-header-only"),
    pytest.param(b"Dear microphone, this is a letter.\n" * 50, "not a WAV file", id="a-letter"),
    pytest.param(header(TWO_HOURS)[:30], "not a WAV file", id="half-a-header"),
]


@pytest.mark.parametrize(("contents", "reason"), BAD_WAVS)
async def test_an_input_file_that_cannot_be_played_is_named(
    contents: bytes | None, reason: str, tmp_path: Path
) -> None:
    path = _write(tmp_path / "voice.wav", contents)
    told(await run("talk", "--input", path, "--output", "none", "--json"), 2, path, reason)


async def test_a_header_of_two_hours_does_not_make_a_short_file_longer(tmp_path: Path) -> None:
    hum = wav_bytes(tone(SHORT, rate=RATE), rate=RATE)[44:]
    path = _write(tmp_path / "voice.wav", header(TWO_HOURS) + hum)
    with MinimalBackend(secret=SECRET) as backend:
        async with answering_peer() as peer, serving(peer.app) as url:
            ends = ("--backend", backend.url, "--realtime-url", f"{url}/v1")
            ended = await run("talk", "--input", path, "--output", "none", "--json", *ends)
    assert ended.status == 0, ended.stdout + ended.stderr
    assert ended.seconds < SHORT + 15


BAD_OPTIONS = [
    pytest.param(("--output", "/nowhere/at/all.wav"), 2, "/nowhere/at/all.wav", id="no-such-folder"),
    pytest.param(("--output", "{input}"), 2, "is the input", id="output-is-input"),
    pytest.param(("--thread", ""), 2, "--thread", id="thread-without-a-name"),
    pytest.param(("--thread", "x" * 1000), 2, "--thread", id="thread-with-a-long-name"),
    pytest.param(("--backend", "nonsense"), 2, "nonsense", id="backend-is-no-url"),
    pytest.param(("--backend", "http://192.0.2.1"), 2, "https", id="backend-without-encryption"),
    pytest.param(("--realtime-url", "ftp://127.0.0.1"), 2, "ftp://127.0.0.1", id="provider-is-no-url"),
    pytest.param(("--provider", "openai"), 2, "OPENAI_API_KEY", id="no-key"),
    pytest.param(("--output", "reply.mp3"), 2, "--output reply.mp3: only .wav files are written", id="output-is-mp3"),
    pytest.param(("--output", "/tmp"), 2, "--output /tmp: only .wav files", id="output-is-a-folder"),
    pytest.param(("--output", "tests"), 2, "--output tests: only .wav files", id="output-is-a-folder-here"),
    pytest.param(("--voice", "bob"), 2, f'unknown voice "bob": choose one of {", ".join(VOICES)}', id="no-such-voice"),
    pytest.param(("--output", "Loudspeaker 2.0"), 3, "", id="no-such-loudspeaker-with-a-dot"),
    pytest.param(("--output", "no such loudspeaker"), 3, "", id="no-such-loudspeaker"),
    pytest.param(("--backend", NOBODY), 4, NOBODY, id="nobody-is-the-backend"),
    pytest.param(("--realtime-url", f"{NOBODY}/v1"), 4, "", id="nobody-is-the-provider"),
]


@pytest.mark.parametrize(("options", "status", "words"), BAD_OPTIONS)
async def test_an_option_that_cannot_be_is_named(
    options: tuple[str, ...], status: int, words: str, still: Path
) -> None:
    given = [option.format(input=still) for option in options]
    output = [] if "--output" in given else ["--output", "none"]
    told(await run("talk", "--input", str(still), *output, *given, "--json"), status, words)


async def test_a_voice_that_we_do_not_know_is_for_a_backend_of_others_to_judge(still: Path) -> None:
    ended = await run(
        "talk", "--input", str(still), "--output", "none", "--json", "--voice", "bob", "--backend", NOBODY
    )
    told(ended, 4, NOBODY)


@pytest.mark.parametrize("memory", ["incognito", "persistent"])
async def test_the_first_line_says_whether_the_talk_is_kept(memory: MemoryMode, still: Path) -> None:
    screen = KeptScreen()
    await talk(load_settings({"backend_url": NOBODY}), TalkOptions(input=str(still), memory=memory), screen)
    assert screen.hints[0].startswith(f"{memory}: the backend keeps")


async def test_a_microphone_that_is_not_there_is_named() -> None:
    told(await run("talk", "--input", "no such microphone", "--output", "none", "--json"), 3)


async def test_a_text_that_does_not_fit_its_wav_is_named(hello: Path) -> None:
    hello.with_suffix(".txt").write_text("Hello.\nAnd goodbye.\n", encoding="utf-8")
    ended = await run("talk", "--input", str(hello), "--output", "none", "--json")
    told(ended, 2, str(hello), "1 utterances", "2 lines")


async def test_a_wav_without_its_text_says_what_to_write_and_is_heard_by_the_phrases(hello: Path) -> None:
    hello.with_suffix(".txt").unlink()
    screen = KeptScreen()
    assert await talk(load_settings(), TalkOptions(input=str(hello), output="none"), screen) == 0
    assert screen.hints[1:] == [f"no text beside {hello}; write hello.txt, or use another provider"]
    (turn,) = (notice.turn for notice in screen.notices if isinstance(notice, TurnRecorded))
    assert turn.user_text == "Hello, can you hear me?"


async def test_without_json_the_sentence_stands_on_stderr(tmp_path: Path) -> None:
    ended = await run("talk", "--input", str(tmp_path / "none.wav"), "--output", "none", "--plain")
    assert ended.status == 2
    assert str(tmp_path / "none.wav") in ended.error


BAD_BACKENDS = [
    pytest.param(Fault(500), "answered 500", "told to fail", id="500"),
    pytest.param(Fault(500, "<html>oops</html>", "text/html"), "answered 500", "", id="500-html"),
    pytest.param(Fault(401), "answered 401", "told to fail", id="401"),
    pytest.param(Fault(404, '{"detail": "Not Found"}'), "answered 404", "", id="404"),
    pytest.param(Fault(200, "It works!", "text/plain"), "no JSON", "", id="no-json"),
    pytest.param(Fault(200, "<html>It works!</html>", "text/html"), "no JSON", "", id="html"),
    pytest.param(Fault(200, '{"welcome": "home"}'), "not what", "", id="other-json"),
    pytest.param(Fault(200, "[" * 100_000), "", "", id="nested-json"),
    pytest.param(Fault(307, ""), "answered 307", "", id="redirect"),
    pytest.param(Fault(drop=True), "connection broke", "", id="hangs-up"),
]


@pytest.mark.parametrize(("fault", "what", "why"), BAD_BACKENDS)
async def test_a_backend_that_fails_is_named(fault: Fault, what: str, why: str, still: Path) -> None:
    with MinimalBackend(secret=SECRET, faults={"session": fault}) as backend:
        sentence = await refused(still, backend_url=backend.url)
    for words in (f"{backend.url}/api/voice/realtime/session", what, why):
        assert words in sentence
    assert backend.order() == ["session"]


async def test_a_wrong_client_secret_is_said_to_be_wrong(realtime: str, still: Path) -> None:
    with MinimalBackend(secret="ek_of_somebody_else") as backend:
        ends = ("--backend", backend.url, "--realtime-url", realtime)
        ended = await run("talk", *ends, "--input", str(still), "--output", "none", "--json")
    told(ended, 4, "401", "the client secret is wrong or has expired")
    assert "ek_of_somebody_else" not in ended.stdout + ended.stderr
    assert backend.order() == ["session"]


BODIES = {"empty": b"", "text": b"Hello?", "garbage": b"v=0\r\nm=nonsense\r\n"}


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
async def test_an_sdp_answer_that_cannot_be_used_is_told(body: bytes, still: Path) -> None:
    async with answering_peer() as peer, serving(peer.app) as url:
        peer.refusal = Response(body, 201, media_type="application/sdp")
        with MinimalBackend(secret=SECRET) as backend:
            sentence = await refused(still, backend_url=backend.url, realtime_url=f"{url}/v1")
    assert f"{url}/v1/realtime/calls" in sentence
    assert backend.order() == ["session"]


async def test_a_data_channel_that_never_opens_is_told(still: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webrtc, "CONNECT_TIMEOUT", SHORT)
    async with answering_peer() as peer, serving(peer.app) as url:
        peer.is_deaf = True
        with MinimalBackend(secret=SECRET) as backend:
            sentence = await refused(still, backend_url=backend.url, realtime_url=f"{url}/v1")
    assert sentence == "no open data channel within 0.5 s: is UDP blocked between here and the provider?"
    assert backend.order() == ["session"]


@pytest.mark.row("E9")
async def test_a_server_that_ends_in_mid_talk_ends_it_with_the_debts_paid(still: Path) -> None:
    with MinimalBackend(secret="any-key") as backend:
        async with started("serve", "realtime", "--port", "0") as server:
            url = (await server.line()).removeprefix("ready ").strip()
            ends = ("--backend", backend.url, "--realtime-url", f"{url}/v1")
            async with started("talk", *ends, "--input", str(still), "--output", "none", "--json") as talking:
                await talking.line_with(type="state", state="listening")
                talking.type("Good morning.")
                await talking.line_with(type="state", state="assistant_speaking")
                server.send(signal.SIGTERM)
                ended = await talking.ended()
    told(ended, 1, "the connection to the provider was lost")
    assert backend.order() == ["session", "turn", "end"]
    assert backend.to("turn")[0]["outcome"] == "connection_interrupted"


async def test_a_backend_that_takes_no_turn_and_no_end_is_told(realtime: str, secret: str, still: Path) -> None:
    with MinimalBackend(secret=secret, faults={"turn": Fault(422), "end": Fault(422)}) as backend:
        ends = ("--backend", backend.url, "--realtime-url", realtime)
        async with started("talk", *ends, "--input", str(still), "--output", "none", "--json") as talking:
            await talking.line_with(type="state", state="listening")
            talking.type("Good morning.")
            await talking.line_with(type="state", state="assistant_speaking")
            talking.send(signal.SIGINT)
            ended = await talking.ended()
    assert [turn["recorded"] for turn in ended.of("turn")] == [False]
    assert {line["code"] for line in ended.of("error")} == {"fault"}
    assert ended.summary["finalized"] is False
    assert ended.status == 130


async def test_the_example_of_a_spoken_talk_says_what_it_needs() -> None:
    ended = await run("fixtures/first-talk.wav", before=(sys.executable, "examples/spoken_talk.py"))
    assert ended.status == 1
    assert ended.stderr.startswith("usage: python examples/spoken_talk.py")


@pytest.mark.row("C6")
async def test_a_backend_without_its_provider_is_explained_and_local_is_offered() -> None:
    ended = await run("talk", "--text", "--plain", environment={"COUCHVOICE_REALTIME_ENABLED": "false"})
    assert ended.status == 4
    assert "answered 503" in ended.error
    assert "realtime voice is switched off" in ended.error
    assert "couchvoice talk --provider local" in ended.stderr
