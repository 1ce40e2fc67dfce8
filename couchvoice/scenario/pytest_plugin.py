"""The pytest plugin: conversations in tests. It comes with the package; pytest finds it by its entry point.

    def test_greeting(conversation):
        conversation.say("Hello, can you hear me?")
        assert "I can hear you" in conversation.reply().text

Law: a run that uses none of it pays for nothing. What a conversation needs is imported by the fixtures.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from couchvoice.scenario.conversation import Conversation

MARKER = "couchvoice"
SECTION = "conversation"  # of the report of a test that failed

_held = pytest.StashKey[list["Conversation"]]()


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers",
        f"{MARKER}(**options): how the fixtures conversation and hold_conversation are to talk: memory, replies, "
        "tools, session, weather, faults, and what else a script may say at its top",
    )


def pytest_assertrepr_compare(op: str, left: object, right: object) -> list[str] | None:
    measured = sys.modules.get("couchvoice.scenario.measured")  # whoever compares such values has loaded it
    return measured.explained(op, left, right) if measured is not None else None


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.failed:
        stories = [conversation.story() for conversation in item.stash.get(_held, [])]
        report.sections += [(SECTION, story) for story in stories]
    return report


@pytest.fixture
def conversation_options() -> dict[str, Any]:
    """What all conversations have in common: define it anew in a conftest.py. The marker's options win."""
    return {}


@pytest.fixture
def hold_conversation(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, conversation_options: dict[str, Any]
) -> Iterator[Callable[..., Conversation]]:
    """Conversations of a test's own: ``hold_conversation(memory="persistent")``. They end with the test."""
    held = request.node.stash.setdefault(_held, [])
    marked = [mark.kwargs for mark in request.node.iter_markers(MARKER)]
    with ExitStack() as stack:

        def hold(**options: Any) -> Conversation:
            chosen = dict(conversation_options)
            for other in (*reversed(marked), options):  # the closest mark counts
                chosen |= other
            folder = tmp_path_factory.mktemp("conversation")
            conversation = _conversation(request.node.name, folder, file=Path(request.path), **chosen)
            held.append(conversation)
            return stack.enter_context(conversation)

        yield hold


@pytest.fixture
def hold_scenarios(request: pytest.FixtureRequest) -> Callable[..., None]:
    """Whole scripts, or folders of them: ``hold_scenarios("talks")``. The first that fails fails the test."""

    def hold(*paths: str | Path) -> None:
        problem = _first_problem([Path(request.path).parent / path for path in paths])
        if problem is not None:
            pytest.fail(problem, pytrace=False)

    return hold


@pytest.fixture
def conversation(hold_conversation: Callable[..., Conversation]) -> Conversation:
    """One conversation, connected when it is first used."""
    return hold_conversation()


def _conversation(name: str, folder: Path, **options: Any) -> Conversation:
    """What cannot be fails the test with a sentence: there is nothing to see in our own lines."""
    from couchvoice.errors import ConfigError
    from couchvoice.scenario.conversation import Conversation

    try:
        return Conversation(name, folder, **options)
    except ConfigError as exc:
        problem = str(exc)
    pytest.fail(problem, pytrace=False)


def _first_problem(paths: list[Path]) -> str | None:
    from couchvoice.errors import ConfigError
    from couchvoice.scenario.collect import collected
    from couchvoice.scenario.runner import run_scenario
    from couchvoice.settings import load_settings

    try:
        for scenario in collected(paths):
            outcome = run_scenario(scenario, load_settings()).outcome
            if not outcome.passed:
                return f"{scenario.name}: {outcome.error}"
    except ConfigError as exc:
        return str(exc)
    return None
