"""The four exercise tools, as a client calls them: through POST /tools of a whole backend."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import pytest

from couchvoice.backend.exercises import Action, Outcome, shipped_catalogue
from couchvoice.backend.guards import Guards
from tests.backend.ends import BackendEnd, Names, error_code, running_backend

SPOKEN = "the zebra under the piano hums"
PERSISTENT = {"memory_mode": "persistent", "user_id": "ada"}


class Talk:
    """One thread, in which exercise tools are called."""

    def __init__(self, backend: BackendEnd, thread_id: str = "t1", **fields: Any) -> None:
        self._backend, self._thread_id, self._fields = backend, thread_id, fields

    async def call(self, name: str, said: str = "", **arguments: Any) -> Any:
        return await self._backend.tool(
            name, self._thread_id, arguments=arguments, current_user_message=said, **self._fields
        )

    async def start(self, exercise_type: str, said: str = "", **more: Any) -> dict[str, Any]:
        return await _output(self.call("start_guided_exercise", said, exercise_type=exercise_type, **more))

    async def load(self, skill_id: str, action: str = "start", **more: Any) -> dict[str, Any]:
        call = self.call("load_guided_exercise_skill", exercise_type=skill_id, runtime_action=action, **more)
        return await _output(call)

    async def record(
        self, step: dict[str, Any], outcome: str = "complete", said: str = "", summary: str = "They did it."
    ) -> dict[str, Any]:
        call = self.call(
            "record_guided_exercise_progress",
            said,
            expected_skill_id=step["skill_id"],
            expected_step_id=step["step_id"],
            outcome=outcome,
            user_response_summary=summary,
        )
        return await _output(call)


async def _output(call: Any) -> dict[str, Any]:
    reply = await call
    assert reply.status_code == 200, reply.text
    output: dict[str, Any] = reply.json()["output"]
    return output


@pytest.fixture(params=["incognito", "persistent"])
def talk(request: pytest.FixtureRequest, backend: BackendEnd) -> Talk:
    return Talk(backend, memory_mode=request.param)


@pytest.mark.row("H10")
@pytest.mark.parametrize("exercise", shipped_catalogue().listed(), ids=lambda exercise: exercise.id)
async def test_every_exercise_can_be_gone_through(talk: Talk, exercise: Any) -> None:
    started = await talk.start(exercise.id)
    assert (started["skill_id"], started["step_id"]) == (exercise.id, exercise.steps[0].id)
    step = await talk.load(exercise.id, started["runtime_action"], current_step_index=started["step_index"])
    for expected in exercise.steps:
        assert step["step_id"] == expected.id
        assert step["instruction"] == expected.instruction
        step = await talk.record(step, summary="one, two, three, four, five")
    assert (step["runtime_action"], step["phase"]) == ("complete", "completed")
    assert step["response_text"] == exercise.closing
    assert (step["side_effect"], step["retry_safe"]) == ("exercise", False)


@pytest.mark.row("H10")
@pytest.mark.parametrize(
    ("outcome", "action", "step_id"),
    [
        ("complete", "advance", "value"),
        ("partial", "continue", "area"),
        ("hold", "hold", "area"),
        ("stuck", "repair", "area"),
        ("exit", "exit", None),
        ("unsafe", "crisis", None),
    ],
)
async def test_each_outcome_has_its_action(talk: Talk, outcome: str, action: str, step_id: str | None) -> None:
    await talk.start("defusion_values_compass")
    step = await talk.load("defusion_values_compass")
    told = await talk.record(step, outcome)
    assert (told["runtime_action"], told.get("step_id")) == (action, step_id)
    assert told["response_instruction"]
    if step_id is None:
        assert (await talk.record(step))["reason"] == "exercise_is_over"


@pytest.mark.row("H10")
async def test_an_unsafe_step_leads_to_the_crisis_tools_and_the_turn_is_a_crisis(backend: BackendEnd) -> None:
    talk = Talk(backend, **PERSISTENT)
    await talk.start("self_compassion_break")
    told = await talk.record(await talk.load("self_compassion_break"), "unsafe", summary=SPOKEN)
    assert "lookup_crisis_resources" in told["response_instruction"]
    assert "safe" in told["response_text"]
    call = {"tool_name": "record_guided_exercise_progress", "status": "completed", "output": told}
    await backend.turn(user_text="x", tool_calls=[call], **PERSISTENT)
    history = await backend.http.get("/api/threads/t1/history", params={"user_id": "ada"})
    assert history.json()["turns"][0]["route"] == "crisis"


@pytest.mark.row("H10")
async def test_a_wrong_skill_or_step_changes_nothing_and_says_what_is_on(talk: Talk) -> None:
    await talk.start("grounding_box_breathing")
    step = await talk.load("grounding_box_breathing")
    for wrong in ({"skill_id": "defusion_values_compass"}, {"step_id": "return"}):
        refused = await talk.record(step | wrong)
        assert refused["refused"] is True
        assert refused["reason"] in ("wrong_skill", "wrong_step")
        assert (refused["expected_skill_id"], refused["expected_step_id"]) == ("grounding_box_breathing", "settle")
    assert (await talk.load("grounding_stop_technique"))["reason"] == "wrong_skill"
    assert (await talk.load("grounding_box_breathing", current_step_index=2))["reason"] == "wrong_step"
    assert (await talk.record(step))["step_id"] == "first_box"


@pytest.mark.row("H10")
async def test_without_an_exercise_there_is_nothing_to_load_or_record_but_a_way_out(talk: Talk) -> None:
    nothing = {"skill_id": "grounding_box_breathing", "step_id": "settle"}
    assert (await talk.load("grounding_box_breathing"))["reason"] == "no_exercise_in_progress"
    assert (await talk.record(nothing))["reason"] == "no_exercise_in_progress"
    assert (await talk.record(nothing, "exit"))["runtime_action"] == "exit"
    assert (await talk.record(nothing, "unsafe"))["runtime_action"] == "crisis"
    await talk.start("grounding_box_breathing")
    assert (await talk.record(nothing))["reason"] == "step_not_loaded"


@pytest.mark.row("H10")
async def test_the_persons_own_words_win_over_what_the_model_tells(talk: Talk) -> None:
    await talk.start("defusion_values_compass")
    step = await talk.load("defusion_values_compass")
    stuck = await talk.record(step, "complete", said="Sorry, I can't do this.")
    assert (stuck["recorded_outcome"], stuck["runtime_action"]) == ("stuck", "repair")
    left = await talk.record(step, "stuck", said="Please stop the exercise.")
    assert (left["recorded_outcome"], left["runtime_action"]) == ("exit", "exit")


@pytest.mark.row("H10")
async def test_things_that_were_named_are_counted_from_the_summary(talk: Talk) -> None:
    await talk.start("five senses")
    step = await talk.load("five senses")
    more = await talk.record(step, "complete", summary="a lamp and a book")
    assert (more["runtime_action"], more["items_so_far"]) == ("continue", 2)
    assert (await talk.record(more, "partial", summary="a cup, a chair, the door"))["step_id"] == "hear"


@pytest.mark.row("H10")
async def test_a_generic_ask_takes_turns_and_an_explicit_one_is_honoured(talk: Talk) -> None:
    first = (await talk.start("grounding", "I would like an exercise."))["skill_id"]
    second = (await talk.start("grounding", "Another exercise, please."))["skill_id"]
    assert first != second
    assert (await talk.start(second, "Another exercise, please."))["skill_id"] != second
    again = (await talk.start(first, "Let us do that same one again."))["skill_id"]
    assert again == first
    assert "grounding_5_4_3_2_1" not in (first, second)


@pytest.mark.row("H9")
async def test_the_list_has_metadata_only_and_goes_by_channel_and_approach(talk: Talk) -> None:
    listed = await _output(talk.call("list_guided_exercise_skills"))
    assert (listed["count"], len(listed["exercises"])) == (10, 10)
    assert "steps" not in listed["exercises"][0]
    assert listed["exercises"][1].keys() >= {
        "id", "display_name", "category", "tags", "duration_seconds", "intensity", "aliases", "voice_supported",
        "interaction_pattern", "cognitive_load", "step_count",
    }  # fmt: skip
    assert (await _output(talk.call("list_guided_exercise_skills", channel="text")))["count"] == 13
    of_act = await _output(talk.call("list_guided_exercise_skills", therapeutic_approach="act"))
    assert [one["id"] for one in of_act["exercises"]] == ["defusion_values_compass"]


@pytest.mark.row("H9", "H10")
@pytest.mark.parametrize(
    ("name", "arguments", "code"),
    [
        ("start_guided_exercise", {"exercise_type": SPOKEN}, "unknown_exercise"),
        ("start_guided_exercise", {"exercise_type": "leaves on a stream"}, "exercise_not_for_voice"),
        ("start_guided_exercise", {"exercise_type": "any", "therapeutic_approach": "reiki"}, "invalid_arguments"),
        ("load_guided_exercise_skill", {"exercise_type": SPOKEN, "runtime_action": "start"}, "unknown_exercise"),
        ("load_guided_exercise_skill", {"exercise_type": "any", "runtime_action": "jump"}, "invalid_arguments"),
        ("list_guided_exercise_skills", {"channel": "smoke"}, "invalid_arguments"),
        ("record_guided_exercise_progress", {"outcome": "complete"}, "invalid_arguments"),
    ],
)
async def test_what_nobody_knows_is_refused_and_not_repeated(
    backend: BackendEnd, name: str, arguments: dict[str, Any], code: str
) -> None:
    reply = await Talk(backend).call(name, **arguments)
    assert (reply.status_code, error_code(reply)) == (422, code)
    assert SPOKEN not in reply.text


@pytest.mark.row("H10")
async def test_the_outcomes_of_the_schema_are_the_six_of_the_contract(backend: BackendEnd) -> None:
    tools = {tool["name"]: tool for tool in (await backend.session()).json()["session_config"]["tools"]}
    schema = tools["record_guided_exercise_progress"]["parameters"]
    assert set(schema["required"]) == {
        "expected_skill_id", "expected_step_id", "outcome", "user_response_summary",
    }  # fmt: skip
    assert schema["properties"]["outcome"]["enum"] == ["complete", "partial", "hold", "stuck", "exit", "unsafe"]
    assert set(schema["properties"]["outcome"]["enum"]) == {outcome.value for outcome in Outcome}
    loading = tools["load_guided_exercise_skill"]["parameters"]["properties"]
    assert set(loading["runtime_action"]["enum"]) == {action.value for action in Action}


# What is kept


@pytest.mark.row("H11")
async def test_after_a_restart_the_same_step_goes_on_and_the_session_is_told_of_it(tmp_path: Path) -> None:
    async with running_backend(tmp_path / "state") as backend:
        talk = Talk(backend, **PERSISTENT)
        await talk.start("grounding_box_breathing")
        await talk.record(await talk.load("grounding_box_breathing"))
    async with running_backend(tmp_path / "state") as backend:
        config = (await backend.session(**PERSISTENT)).json()["session_config"]
        told = json.loads(config["instructions"].partition("# Exercise in progress")[2].splitlines()[-1])
        assert (told["skill_id"], told["step_id"], told["step_index"]) == ("grounding_box_breathing", "first_box", 1)
        talk = Talk(backend, **PERSISTENT)
        step = await talk.load(told["skill_id"], told["runtime_action"], current_step_index=told["step_index"])
        assert step["step_id"] == "first_box"
        assert (await talk.record(step, "exit"))["phase"] == "exited"
        assert "Exercise in progress" not in (await backend.session(**PERSISTENT)).text


@pytest.mark.row("H11", "K3")
async def test_of_an_incognito_exercise_nothing_is_kept_and_none_is_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    async with running_backend(tmp_path / "state") as backend:
        incognito = Talk(backend)
        await incognito.start("grounding_box_breathing")
        await incognito.record(await incognito.load("grounding_box_breathing"), summary=SPOKEN)
        assert not backend.data.exists()
        assert "Exercise in progress" not in (await backend.session()).text
        await backend.end()
        assert (await incognito.load("grounding_box_breathing"))["reason"] == "no_exercise_in_progress"
        kept = Talk(backend, "t2", **PERSISTENT)
        await kept.start("grounding_box_breathing")
        await kept.record(await kept.load("grounding_box_breathing"), summary=SPOKEN)
        assert "Exercise in progress" not in (await backend.session("t2", user_id="ada")).text
        assert SPOKEN.encode() not in backend.bytes_on_disk()
    assert SPOKEN not in caplog.text


@pytest.mark.row("H11")
async def test_nobody_gets_into_the_exercise_of_another(tmp_path: Path) -> None:
    async with running_backend(tmp_path / "state", guards=Guards(authentication=Names())) as backend:

        async def call(user: str, thread: str, name: str, **arguments: Any) -> Any:
            backend.http.headers["Authorization"] = f"Bearer {user}"
            token = (await backend.session(thread, memory_mode="persistent")).json().get("session_token")
            return await backend.tool(name, thread, token=token, memory_mode="persistent", arguments=arguments)

        started = await call("ada", "t1", "start_guided_exercise", exercise_type="grounding_box_breathing")
        assert started.status_code == 200
        loading = {"exercise_type": "grounding_box_breathing", "runtime_action": "continue"}
        assert (await call("eve", "t1", "load_guided_exercise_skill", **loading)).status_code == 404
        theirs = await call("eve", "t2", "load_guided_exercise_skill", **loading)
        assert theirs.json()["output"]["reason"] == "no_exercise_in_progress"
        assert (await call("eve", "t2", "list_guided_exercise_skills")).json()["output"]["recent_exercises"] == []
