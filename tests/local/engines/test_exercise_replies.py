"""The shipped rules lead through exercises: every call that they make is run by a real backend, without sound."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from couchvoice.backend.exercises import Exercise, shipped_catalogue
from couchvoice.backend.exercises.exercise import Completion
from couchvoice.local.engines.replies import Rules
from couchvoice.local.protocol.reply import Call, Question, Say, ToolResult
from tests.backend.ends import BackendEnd, running_backend

CATALOGUE = {exercise.id: exercise for exercise in shipped_catalogue().listed()}
ASKS = {
    "grounding_box_breathing": "Let us do a breathing exercise.",
    "defusion_values_compass": "I want to think about my values.",
    "emotion_regulation_improve": "I need help with a strong feeling.",
    "grounding_5_4_3_2_1": "Let us try the five senses.",
}
ANSWERS = {
    Completion.CONFIRMATION: "I have done that once.",
    Completion.RESPONSE: "It is something about my grandmother",
    Completion.LLM_JUDGED: "it is sometimes like that",
    Completion.ITEMS: "one, two, three, four, five",
}
NO_EXERCISE = "We are not in the middle of an exercise. Would you like to begin one?"
MAX_CALLS = 4  # for one answer


@pytest.fixture
async def backend(tmp_path: Path) -> AsyncIterator[BackendEnd]:
    async with running_backend(tmp_path / "state") as end:
        yield end


class Talk:
    """Rules on one side, a backend on the other; what a client would carry between them is carried here."""

    def __init__(self, backend: BackendEnd, **fields: Any) -> None:
        self._rules = Rules.load()
        self._backend = backend
        self._fields = fields
        self.items: list[dict[str, Any]] = []
        self.called: list[str] = []

    async def say(self, words: str, *, instructions: str = "") -> str:
        config = (await self._backend.session(**self._fields)).json()["session_config"]
        context: dict[str, Any] = {"tools": config["tools"], "instructions": instructions or config["instructions"]}
        question = Question(heard=words, items=self.items, **context)
        spoken: list[str] = []
        for _ in range(MAX_CALLS):
            parts = self._rules.parts(question)
            spoken += [part.text for part in parts if isinstance(part, Say)]
            calls = [part for part in parts if isinstance(part, Call)]
            if not calls:
                return " ".join(spoken)
            results = [await self._run(call, words) for call in calls]
            question = Question(heard="", results=results, items=self.items, **context)
        raise AssertionError(f"it goes on and on: {self.called}")

    async def _run(self, call: Call, words: str) -> ToolResult:
        self.called.append(call.name)
        reply = await self._backend.tool(
            call.name, arguments=call.arguments, current_user_message=words, **self._fields
        )
        assert reply.status_code == 200, reply.text
        output = reply.json()["output"]
        self.items.append({"type": "function_call_output", "output": json.dumps(output)})
        return ToolResult(call.name, call.arguments, output)


@pytest.mark.row("H10")
@pytest.mark.parametrize("exercise_id", ASKS)
async def test_an_exercise_is_led_from_the_ask_to_its_closing(backend: BackendEnd, exercise_id: str) -> None:
    talk, exercise = Talk(backend), CATALOGUE[exercise_id]
    begun = await talk.say(ASKS[exercise_id])
    assert begun.endswith(f"{exercise.display_name}. {minutes(exercise)} {exercise.steps[0].instruction}")
    for step, after in zip(exercise.steps, (*exercise.steps[1:], None), strict=True):
        said = await talk.say(ANSWERS[step.completion_mode])
        assert said.endswith(after.instruction if after else exercise.closing)
    assert talk.called[:2] == ["start_guided_exercise", "load_guided_exercise_skill"]
    assert set(talk.called[2:]) == {"record_guided_exercise_progress"}
    assert await talk.say("I have done that once.") == NO_EXERCISE  # it is over


def minutes(exercise: Exercise) -> str:
    return f"It takes about {round(exercise.duration_seconds / 60)} minutes."


@pytest.mark.row("H10")
async def test_another_exercise_is_another_one(backend: BackendEnd) -> None:
    talk = Talk(backend)
    first = await talk.say("I would like an exercise.")
    second = await talk.say("Can we do another exercise?")
    assert first != second
    assert "Five senses" not in first + second
    assert "I know 10" in await talk.say("Which exercises do you know?")


@pytest.mark.row("H10")
async def test_a_crisis_in_an_exercise_looks_up_lines_after_it_has_asked(backend: BackendEnd) -> None:
    talk = Talk(backend)
    await talk.say("Let us do a breathing exercise.")
    said = await talk.say("I do not feel safe at all.")
    assert talk.called[-2:] == ["record_guided_exercise_progress", "lookup_crisis_resources"]
    assert said.index("Are you safe") < said.index("emergency number")


@pytest.mark.row("H11")
async def test_after_a_restart_the_words_to_go_on_load_the_same_step(tmp_path: Path) -> None:
    mode = {"memory_mode": "persistent", "user_id": "ada"}
    values = CATALOGUE["defusion_values_compass"]
    async with running_backend(tmp_path / "state") as backend:
        talk = Talk(backend, **mode)
        await talk.say(ASKS[values.id])
        await talk.say("My family matters most to me.")
    async with running_backend(tmp_path / "state") as backend:
        talk = Talk(backend, **mode)
        assert (await talk.say("Let us go on with the exercise.")).endswith(values.steps[1].instruction)
        assert (await talk.say("I want to be patient and kind.")).endswith(values.steps[2].instruction)
        assert "that is fine" in await talk.say("I want to stop the exercise.")
        assert await talk.say("Let us go on with the exercise.") == NO_EXERCISE


@pytest.mark.row("H10")
async def test_outside_of_an_exercise_its_words_mean_nothing(backend: BackendEnd) -> None:
    talk = Talk(backend)
    for words in ("I have done that once.", "I cannot do this.", "I want to stop the exercise."):
        assert await talk.say(words) == NO_EXERCISE
    assert await talk.say("My family matters most to me.") == "Tell me more about that."
    assert talk.called == []
    assert "Are you safe" in await talk.say("I do not feel safe at all.")
    assert talk.called == ["lookup_crisis_resources"]
