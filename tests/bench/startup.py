"""``startup``: how long somebody waits at the shell: for ``--help``, for the import, for a talk that listens.

Baselines: a typer program with one command, Python alone, and a bare aiortc script from its start to the open channel.
Law: every round is a fresh process; the state folder is the same in all rounds, so that its database exists.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from tests.bench.child import FIRST_TALK, far_end, python
from tests.bench.rounds import Figures, ratio, take_turns

ROUNDS = 15
QUICK_ROUNDS = 5
TALK_ROUNDS = 7
QUICK_TALK_ROUNDS = 3
GOAL = {"help_ratio": 2.0, "help_ms": 300}

COMMANDS = {
    "help": ("-m", "couchvoice", "--help"),
    "bare_help": ("-m", "tests.bench.bare_command", "--help"),
    "import": ("-c", "import couchvoice"),
    "python": ("-c", "pass"),
    "session": ("-c", "from couchvoice import VoiceSession"),
    "aiortc_httpx": ("-c", "import aiortc, httpx"),
}
TALK = ("-m", "couchvoice", "talk", "--input", str(FIRST_TALK), "--output", "none", "--json")


def measure(*, quick: bool) -> dict[str, object]:
    with tempfile.TemporaryDirectory() as state:
        return asyncio.run(_measure(Path(state), quick=quick))


async def _measure(state: Path, *, quick: bool) -> dict[str, object]:
    run = await take_turns(
        {name: _command(arguments) for name, arguments in COMMANDS.items()}, QUICK_ROUNDS if quick else ROUNDS
    )
    async with far_end() as url:
        remote = (*TALK, "--backend", url, "--realtime-url", f"{url}/v1")
        talks = {
            "embedded": _talk(TALK, state),
            "remote": _talk(remote, state),
            "bare": lambda: _bare(url),
        }
        talk = await take_turns(talks, QUICK_TALK_ROUNDS if quick else TALK_ROUNDS)
    return {
        **run,
        "ratio": ratio(run["help"], run["bare_help"], "ms"),
        "import_ratio": ratio(run["import"], run["python"], "ms"),
        "session_ratio": ratio(run["session"], run["aiortc_httpx"], "ms"),
        "goal": GOAL,
        "talk_to_ready": {
            **talk,
            "ratio": ratio(talk["embedded"], talk["bare"], "ms"),
            "remote_ratio": ratio(talk["remote"], talk["bare"], "ms"),
        },
    }


def _command(arguments: tuple[str, ...]) -> Callable[[], Awaitable[Figures]]:
    async def run() -> Figures:
        async with python(*arguments) as child:
            await child.ended()
            return _since(child.born)

    return run


def _talk(arguments: tuple[str, ...], state: Path) -> Callable[[], Awaitable[Figures]]:
    async def run() -> Figures:
        async with python(*arguments, state=state) as child:
            await child.fact(type="state", state="listening")
            figures = _since(child.born)
            child.terminate()
        return figures

    return run


async def _bare(url: str) -> Figures:
    async with python("-m", "tests.bench.bare", url) as child:
        await child.fact()
        return _since(child.born)


def _since(born: float) -> Figures:
    return {"ms": (time.perf_counter() - born) * 1000}
