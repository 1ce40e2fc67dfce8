"""``couchvoice run``, as a program."""

from __future__ import annotations

import asyncio
import json
import shutil
import signal
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest
import typer.testing

from couchvoice.apps.cli import app
from couchvoice.scenario.collect import Shard
from tests.patience import until

ROOT = Path(__file__).parent.parent.parent

pytestmark = pytest.mark.timeout(90)


async def start(*arguments: object, cwd: Path) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        *[sys.executable, "-m", "couchvoice", "run", *map(str, arguments)],
        cwd=cwd,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )


async def run(*arguments: object, cwd: Path) -> tuple[int | None, str]:
    process = await start(*arguments, cwd=cwd)
    printed, _ = await process.communicate()
    return process.returncode, printed.decode()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two that pass, one that fails."""
    (tmp_path / "talks").mkdir()
    for name, steps in {
        "good": "[connect, {expect: {problems: []}}]",
        "typed": "[{type: Good morning.}, {expect: {assistant: {contains: hear you}}}]",
        "wrong": '[{type: "Good morning."}, {expect: {assistant: "\\e[31mNo"}}]',
    }.items():
        (tmp_path / "talks" / f"{name}.yaml").write_text(f"steps: {steps}")
    return tmp_path


@pytest.mark.row("L7", "N4", "P7")
async def test_a_run_tells_what_came_of_each_scenario_and_writes_it_down(folder: Path) -> None:
    status, printed = await run(
        *["talks", "--junit", "junit.xml", "--json", "all.json", "--report", "page.html", "--workers", 2], cwd=folder
    )
    assert status == 1
    lines = printed.splitlines()
    assert sum(line.startswith("passed ") for line in lines) == 2
    (failed,) = (number for number, line in enumerate(lines) if line.startswith("FAILED wrong ("))
    assert 'wrong.yaml:1:55: assistant: expected "[31mNo", got "Yes, I can hear you well.' in lines[failed + 1]
    assert lines[-2].startswith("2 passed, 1 failed: ")
    assert "ms, p50/p95, on the media clock: connect " in lines[-1]
    cases = ElementTree.parse(folder / "junit.xml").getroot().iter("testcase")
    assert [case.get("name") for case in cases] == ["good", "typed", "wrong"]
    results = json.loads((folder / "all.json").read_text())
    assert (results["passed"], results["failed"]) == (2, 1)
    assert results["figures"]["connect_ms"]["count"] == 3
    assert "wrong.yaml" in (folder / "page.html").read_text()
    assert "\x1b" not in printed


@pytest.mark.row("L7")
async def test_the_examples_pass() -> None:
    status, printed = await run("examples/scenarios", "--workers", 2, cwd=ROOT)
    assert status == 0, printed
    assert printed.count("passed ") == 5


async def test_a_shard_with_nothing_in_it_is_no_failure(folder: Path) -> None:
    (empty,) = (index for index in (1, 2) if not Shard(index, 2).has("good"))
    assert await run("talks/good.yaml", "--shard", f"{empty}/2", cwd=folder) == (
        0,
        "0 passed: 0.0 s of talk in 0.0 s\n",
    )


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ([], "error: which scenarios? name files or folders, or --shipped"),
        (["gone"], "error: there is no file or folder gone"),
        (["talks", "--shard", "3/2"], 'error: --shard "3/2": write I/N'),
        (["talks", "--workers", "0"], "error: --workers 0: write a number from 1"),
        (["talks", "--retry", "99"], "error: --retry 99: write a number from 0"),
        (["talks", "--speed", "0.5"], "error: --speed 0.5: write a number from 1"),
        (["talks", "--speed", "nan"], "error: --speed nan: write a number from 1"),
        (["talks", "--speed", "4", "--provider", "openai"], "the provider openai lives in real time"),
        (["talks", "--provider", "nobody"], 'error: unknown provider "nobody"'),
        (["talks", "--junit", "no/such/folder.xml"], "error: cannot write no/such/folder.xml: no such file"),
        (["bad.yaml"], "error: bad.yaml:1:15: unknown key 'sya': do you mean 'say'?"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_held(
    folder: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], sentence: str
) -> None:
    (folder / "bad.yaml").write_text("steps: [{sya: x}]")
    monkeypatch.chdir(folder)
    result = typer.testing.CliRunner().invoke(app, ["run", *arguments])
    assert result.exit_code == 2
    assert sentence in result.output
    assert "Traceback" not in result.output


async def test_words_without_a_sound_are_a_wrong_script(folder: Path) -> None:
    (folder / "bad.yaml").write_text("steps: [connect, {say: '...'}]")
    status, printed = await run("bad.yaml", cwd=folder)
    assert status == 2
    assert "BROKEN bad" in printed
    assert 'bad.yaml:1:24: "..." makes no sound: write words, or silence' in printed


async def test_a_backend_that_is_not_there_fails_the_scenario(folder: Path) -> None:
    status, printed = await run("talks/good.yaml", "--backend", "http://127.0.0.1:9", cwd=folder)
    assert status == 1
    assert "the backend gave no usable answer" in printed


@pytest.mark.row("L7")
@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
async def test_a_signal_ends_a_run_and_what_was_held_is_reported(
    folder: Path, monkeypatch: pytest.MonkeyPatch, number: signal.Signals, status: int
) -> None:
    for name in ("typed", "wrong"):
        (folder / "talks" / f"{name}.yaml").unlink()
    (folder / "talks" / "zz_long.yaml").write_text("deadline: 100000\nsteps: [connect, {wait: 90000000}]")
    temporary = folder / "temporary"
    temporary.mkdir()
    monkeypatch.setenv("TMPDIR", str(temporary))
    process = await start("talks", "--workers", 1, "--json", "all.json", "--speed", 1, cwd=folder)
    assert process.stdout is not None
    assert (await process.stdout.readline()).decode().startswith("passed good")
    # The long one is being held.
    await until(lambda: any("run" not in made.name for made in temporary.rglob("couchvoice-*")), within=30)
    process.send_signal(number)
    rest = (await process.stdout.read()).decode()
    assert await process.wait() == status
    assert "1 passed, 1 not held" in rest
    assert list(temporary.iterdir()) == []  # nothing of what was being said stays behind
    assert len(json.loads((folder / "all.json").read_text())["scenarios"]) == 1
    assert "Traceback" not in rest


async def test_a_watched_scenario_is_held_again_when_it_has_changed(folder: Path) -> None:
    shutil.rmtree(folder / "talks")
    (folder / "one.yaml").write_text("steps: [connect]")
    process = await start("one.yaml", "--watch", cwd=folder)
    assert process.stdout is not None

    async def line_of(beginning: str) -> None:
        while not (line := (await process.stdout.readline()).decode()).startswith(beginning):  # type: ignore[union-attr]
            assert line, f"it ended before {beginning}"

    await line_of("waiting for a change")
    (folder / "one.yaml").write_text("steps: [connect, {sya: x}]")
    await line_of("error: one.yaml:1:")
    (folder / "one.yaml").write_text("steps: [connect, {expect: {turns: 1}}]")
    await line_of("FAILED one")
    await line_of("waiting for a change")
    process.send_signal(signal.SIGINT)
    assert await process.wait() == 130


async def test_what_changes_while_the_first_run_is_on_is_held_again(folder: Path) -> None:
    shutil.rmtree(folder / "talks")
    (folder / "one.yaml").write_text("steps: [connect]")
    (folder / "two.yaml").write_text("steps: [connect]")
    process = await start("one.yaml", "two.yaml", "--watch", "--workers", 1, cwd=folder)
    assert process.stdout is not None
    assert (await process.stdout.readline()).decode().startswith("passed one")
    (folder / "one.yaml").write_text("steps: [connect, {expect: {turns: 1}}]")
    while not (line := (await process.stdout.readline()).decode()).startswith("FAILED one"):
        assert line, "it ended"
    process.send_signal(signal.SIGINT)
    await process.communicate()
    assert process.returncode == 130


TYPED = (
    "user: ada@example.org\nsteps: [{type: Good morning.}, {expect: {assistant: {contains: hear you}, audio: true}}]"
)


@pytest.mark.row("P6")
async def test_a_run_is_recorded_and_held_again_without_its_provider(tmp_path: Path) -> None:
    (tmp_path / "typed.yaml").write_text(TYPED)
    options = ("typed.yaml", "--workers", 1)
    status, printed = await run(*options, "--record", "typed.cassette", cwd=tmp_path)
    assert status == 0, printed
    status, printed = await run(*options, "--replay", "typed.cassette", cwd=tmp_path)
    assert status == 0, printed
    (tmp_path / "typed.yaml").write_text(TYPED.replace("morning", "evening"))
    status, printed = await run(*options, "--replay", "typed.cassette", "--junit", "junit.xml", cwd=tmp_path)
    assert status == 1
    assert "the client sent conversation.item.create, which the cassette does not know:" in printed
    for line in ('    | -        "text": "Good morning.",', '    | +        "text": "Good evening.",'):
        assert line in printed.splitlines()
        assert line.removeprefix("    | ") in (tmp_path / "junit.xml").read_text().replace("&quot;", '"')


@pytest.mark.row("P6")
async def test_several_scenarios_have_a_folder_of_cassettes(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / f"{name}.yaml").write_text(f"name: talk/{name} again\n{TYPED}")
    status, printed = await run("one.yaml", "two.yaml", "--record", "cassettes", cwd=tmp_path)
    assert status == 0, printed
    assert sorted(path.name for path in (tmp_path / "cassettes").iterdir()) == [
        "talk-one-again.cassette",
        "talk-two-again.cassette",
    ]
    status, printed = await run("one.yaml", "--replay", "cassettes", cwd=tmp_path)
    assert status == 0, printed


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--replay", "nothing.cassette"], "cannot read the cassette nothing.cassette: no such file"),
        (
            ["--replay", "typed.yaml"],
            "cannot play the cassette typed.yaml: it is none, or it is damaged; record it again",
        ),
        (["--replay", "a", "--record", "b"], "what is played has been recorded; use one of them"),
        (["--replay", "a", "--provider", "openai"], "or play it with couchvoice serve realtime --replay"),
        (["--record", "nowhere/typed.cassette"], "cannot write the cassette nowhere/typed.cassette: no such file"),
    ],
)
@pytest.mark.row("P6")
async def test_cassettes_that_cannot_be_are_refused_before_anything_is_held(
    tmp_path: Path, options: list[str], told: str
) -> None:
    (tmp_path / "typed.yaml").write_text(TYPED)
    status, printed = await run("typed.yaml", *options, cwd=tmp_path)
    assert status == 2
    assert told in " ".join(printed.split())
    assert "passed" not in printed
