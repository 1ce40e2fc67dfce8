"""The pytest plugin, as its user meets it: test files that pytest runs in a process of its own."""

from __future__ import annotations

import re
import shutil
from importlib.metadata import entry_points
from pathlib import Path

import pytest

pytestmark = [pytest.mark.row("P8"), pytest.mark.timeout(60)]

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
SPEECH = ROOT / "couchvoice" / "scenario" / "shipped" / "speech"
HELLO = """steps:
  - type: Good morning.
  - expect: {{assistant: {{contains: "{answer}"}}}}
"""


@pytest.fixture
def run(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch):
    """``run(python, "-n", "2")``: a test file of this text, in a process that takes no warning.

    The plugin by the name of its entry point, and of those that happen to be installed here no other.
    """
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")

    def run(python: str, *arguments: str, **files: str) -> pytest.RunResult:
        pytester.makepyfile(test_talk=python, **files)
        return pytester.runpytest_subprocess(
            "-q", "-p", "couchvoice", "--strict-markers", "--strict-config", "-W", "error", *arguments
        )

    return run


def test_pytest_finds_it() -> None:
    (found,) = (entry for entry in entry_points(group="pytest11") if entry.name == "couchvoice")
    assert found.value == "couchvoice.scenario.pytest_plugin"


def test_who_does_not_use_it_does_not_pay_for_it(run) -> None:
    result = run(
        """
        import sys

        def test_loaded(pytestconfig):
            assert pytestconfig.pluginmanager.hasplugin("couchvoice")
            ours = {name for name in sys.modules if name.startswith("couchvoice")}
            assert ours == {"couchvoice", "couchvoice.scenario", "couchvoice.scenario.pytest_plugin"}
            assert not {"aiortc", "av", "numpy", "asyncio"} & set(sys.modules)
        """
    )
    result.assert_outcomes(passed=1)


def test_workers_hold_conversations_side_by_side(run, pytester: pytest.Pytester) -> None:
    for ending in ("wav", "txt"):
        shutil.copyfile(SPEECH / f"hello-8k-mono.{ending}", pytester.path / f"hello.{ending}")
    pytester.mkdir("talks").joinpath("hello.yaml").write_text(HELLO.format(answer="Yes, I can hear you well."))
    (shown,) = (block for block in re.findall(r"```python\n(.*?)```", README, re.DOTALL) if "(conversation)" in block)
    (pytester.path / "rules.yaml").write_text("rules: [{heard: ['Hello, can you hear me?', Hello], say: A test.}]\n")
    result = run(
        """
        import pytest

        @pytest.mark.couchvoice(memory="persistent")
        @pytest.mark.parametrize("number", range(3))
        def test_a_thread_is_its_own(conversation, number):
            for user, messages in (("Hello", 2), ("Hello", 4)):
                conversation.type(user)
                conversation.expect(history={"messages": messages})

        def test_a_wav_beside_the_test_is_said(conversation):
            conversation.say("hello.wav")
            reply = conversation.reply()
            assert reply.user == "Hello, can you hear me?"
            assert (reply.text, reply.tools, reply.recorded) == ("A test.", [], False)
            assert reply.response_ms < 1500

        def test_a_script_is_held(hold_scenarios):
            hold_scenarios("talks")

        @pytest.mark.couchvoice(memory="persistent")
        def test_the_call_wins_over_the_mark(hold_conversation):
            one, other = hold_conversation(), hold_conversation(memory="incognito")
            for conversation, recorded in ((one, True), (other, False)):
                conversation.type("Hello")
                assert conversation.reply().recorded is recorded
        """,
        *("-p", "xdist", "-n", "2"),
        test_as_the_readme_has_it=shown,
        conftest="""
        import pytest

        @pytest.fixture
        def conversation_options(request):
            return {"replies": "rules.yaml"} if request.path.stem == "test_talk" else {}
        """,
    )
    result.assert_outcomes(passed=6 + 2)


def test_a_failure_tells_the_difference_and_what_happened(run, pytester: pytest.Pytester) -> None:
    shutil.copyfile(SPEECH / "hello-8k-mono.wav", pytester.path / "untold.wav")
    (pytester.path / "hello.yaml").write_text(HELLO.format(answer="No."))
    result = run(
        """
        def test_words_and_tools(conversation):
            conversation.type("Is memory on?")
            reply = conversation.reply()
            assert reply.tools == ["show_memory_status"]
            assert reply.text == "One moment. You are in Rome."

        def test_tools(conversation):
            conversation.type("Is memory on?")
            assert conversation.reply().tools == ["wait_for_user"]

        def test_as_a_script_expects(conversation):
            conversation.type("Is memory on?")
            conversation.expect(tools=["wait_for_user"])

        def test_no_text(conversation):
            conversation.say("untold.wav")

        def test_a_script(hold_scenarios):
            hold_scenarios("hello.yaml")

        def test_no_script(hold_scenarios):
            hold_scenarios("nobody.yaml")
        """
    )
    result.assert_outcomes(failed=6)
    result.stdout.fnmatch_lines_random(
        [
            "*the assistant said something else*",
            "*expected: 'One moment. You are in Rome.'*",
            "*[[]-missing-] {+added+}: One moment. [[]-You are in Rome.-] {+This talk is *",
            "*- conversation -*",
            "*s  user: Is memory on?",
            "*s  tool: show_memory_status completed *",
            "*s  turn 1: completed, not recorded",
            "*other tools were called*",
            "*!  wait_for_user  show_memory_status",
            "*AssertionError: tools: expected wait_for_user, got show_memory_status",
            "*ConfigError: no text beside *untold.wav: write untold.txt, one line for each utterance",
            'hello: hello.yaml:3:*: assistant.contains: expected "No." in it, got "Yes, I can hear you well.*',
            "there is no file or folder *nobody.yaml",
        ]
    )
    result.stdout.no_fnmatch_line("*conversation.py*")


MISTAKES = {
    "memmory='persistent'": "a conversation cannot have this: Object contains unknown field `memmory`*",
    "memory='sometimes'": "a conversation cannot have this: Invalid enum value 'sometimes'*",
    "weather='hail'": '*no weather is called "hail": there are clear*',
    "speed=0.5": "speed 0.5: write a number from 1 (real time) on",
    "replies='gone.yaml'": "*there is no file *gone.yaml",
    "recordings=['gone.wav']": "*cannot play *gone.wav: no such file or directory",
}


def test_options_that_cannot_be_are_told_without_a_traceback(run) -> None:
    marks = ", ".join(f"pytest.param(marks=pytest.mark.couchvoice({options}))" for options in MISTAKES)
    result = run(
        f"""
        import pytest

        @pytest.mark.parametrize((), [{marks}])
        def test_it(conversation):
            raise AssertionError("it must not be held")
        """
    )
    result.assert_outcomes(errors=len(MISTAKES))
    result.stdout.fnmatch_lines(list(MISTAKES.values()))
    result.stdout.no_fnmatch_line("*pytest_plugin.py*")


def test_an_async_test_is_told_what_to_do(run) -> None:
    result = run(
        """
        async def test_it(conversation):
            conversation.type("Hello")
        """,
        *("-p", "asyncio", "-o", "asyncio_mode=auto", "-o", "asyncio_default_fixture_loop_scope=function"),
    )
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*ConfigError: a conversation has a loop of its own: *def and not async def*"])
