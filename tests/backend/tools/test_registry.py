"""Which tools a memory mode has: the catalogue's table, whatever the code or a request says."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import pytest

from couchvoice.backend import tool
from couchvoice.backend.tools import STANDARD_TOOLS, ToolRegistry
from couchvoice.backend.tools.catalogue import CATALOGUE, MEMORY_CONTROL
from couchvoice.backend.tools.route import route_of
from couchvoice.contract import ToolCallRecord
from couchvoice.errors import ConfigError
from tests.backend.ends import BackendEnd, error_code, running_backend
from tests.backend.test_turns import rows

PERSISTENT_ONLY = {
    "show_saved_memory",
    "recall_saved_memory",
    "save_response_preference",
    "set_proactive_memory_recall",
    "prepare_memory_deletion_by_index",
    "prepare_memory_deletion_by_query",
    "confirm_memory_deletion",
    "cancel_memory_deletion",
}


def test_the_catalogue_has_eighteen_tools_and_incognito_ten_of_them():
    assert len(CATALOGUE) == 18
    assert {name for name, entry in CATALOGUE.items() if "incognito" not in entry.modes} == PERSISTENT_ONLY
    priorities = [entry.priority for entry in CATALOGUE.values() if entry.priority is not None]
    assert sorted(priorities) == list(range(16))


@pytest.mark.row("D8")
def test_the_backend_has_all_of_the_catalogue_and_offers_each_in_its_modes():
    registry = ToolRegistry(STANDARD_TOOLS)
    persistent, incognito = ({tool["name"] for tool in registry.schemas(mode)} for mode in ("persistent", "incognito"))
    assert persistent == CATALOGUE.keys()
    assert incognito == CATALOGUE.keys() - PERSISTENT_ONLY
    assert (len(persistent), len(incognito)) == (18, 10)


@pytest.mark.row("D8")
async def test_a_persistent_session_is_offered_all_eighteen_and_an_incognito_one_ten_of_them(backend: BackendEnd):
    offered = {}
    for mode in ("persistent", "incognito"):
        tools = (await backend.session(memory_mode=mode)).json()["session_config"]["tools"]
        assert all(tool["parameters"]["additionalProperties"] is False for tool in tools)
        offered[mode] = [tool["name"] for tool in tools]
    assert sorted(offered["persistent"]) == [
        "answer_grounded_lookup",
        "cancel_memory_deletion",
        "confirm_memory_deletion",
        "get_crisis_support_template",
        "list_guided_exercise_skills",
        "load_guided_exercise_skill",
        "load_therapeutic_response_skill",
        "lookup_crisis_resources",
        "prepare_memory_deletion_by_index",
        "prepare_memory_deletion_by_query",
        "recall_saved_memory",
        "record_guided_exercise_progress",
        "save_response_preference",
        "set_proactive_memory_recall",
        "show_memory_status",
        "show_saved_memory",
        "start_guided_exercise",
        "wait_for_user",
    ]
    assert offered["incognito"] == [name for name in offered["persistent"] if name not in PERSISTENT_ONLY]
    assert len(offered["incognito"]) == 10


def test_a_tool_in_the_modes_of_another_stops_the_start():
    @tool
    async def recall_saved_memory(query: str) -> None:
        """Recall."""

    with pytest.raises(ConfigError, match="recall_saved_memory belongs to persistent talks only"):
        ToolRegistry([recall_saved_memory])


def test_two_tools_of_one_name_stop_the_start():
    with pytest.raises(ConfigError, match="two tools wait_for_user"):
        ToolRegistry([*STANDARD_TOOLS, STANDARD_TOOLS[0]])


@pytest.mark.row("K4")
async def test_in_incognito_a_persistent_tool_is_absent_and_refused_however_it_is_asked_for(tmp_path: Path):
    ran: list[str] = []

    @tool(modes={"persistent"})
    async def confirm_memory_deletion() -> None:
        """Delete what is pending."""
        ran.append("confirm_memory_deletion")

    others = [standard for standard in STANDARD_TOOLS if standard.name != "confirm_memory_deletion"]
    tools = ToolRegistry([*others, confirm_memory_deletion])
    async with running_backend(tmp_path / "state", tools=tools) as backend:
        opened = (await backend.session(user_id="ada")).json()
        assert not PERSISTENT_ONLY & {offered["name"] for offered in opened["session_config"]["tools"]}
        tokens = (None, opened["session_token"])
        modes: tuple[dict[str, Any], ...] = ({}, {"memory_mode": "incognito"}, {"memory_mode": "persistent"})
        for name, token, mode in itertools.product(sorted(PERSISTENT_ONLY), tokens, modes):
            reply = await backend.tool(name, token=token, user_id="ada", **mode)
            assert (reply.status_code, error_code(reply)) == (403, "tool_not_allowed"), (name, token, mode)
        assert not ran
        assert "persistent" in (await backend.session(memory_mode="persistent")).text
        assert (await backend.tool("confirm_memory_deletion", memory_mode="persistent")).status_code == 200
        assert ran


@pytest.mark.row("K4")
async def test_a_talk_that_began_incognito_stays_so_for_a_client_that_sends_no_token(backend: BackendEnd):
    await backend.session()
    turn = await backend.turn(user_text="the zebra hums", memory_mode="persistent")
    assert turn.json()["recorded"] is False
    assert (await backend.end(memory_mode="persistent")).json()["finalized"] is False
    status = await backend.tool("show_memory_status", memory_mode="persistent")
    assert status.json()["output"]["memory_mode"] == "incognito"
    assert not backend.data.exists()


def called(*names: str, status: str = "completed", **output: Any) -> list[ToolCallRecord]:
    return [ToolCallRecord.model_validate({"tool_name": name, "status": status, "output": output}) for name in names]


@pytest.mark.row("F10")
@pytest.mark.parametrize(
    ("names", "route"),
    [
        ([], "therapeutic"),
        (["wait_for_user"], "therapeutic"),
        (["load_therapeutic_response_skill"], "therapeutic"),
        (["show_chart"], "therapeutic"),
        (["lookup_crisis_resources"], "crisis"),
        (["get_crisis_support_template"], "crisis"),
        (["answer_grounded_lookup"], "grounded_lookup"),
        *(([name], MEMORY_CONTROL) for name in sorted({*PERSISTENT_ONLY, "show_memory_status"})),
        (["list_guided_exercise_skills"], "guided_exercise"),
        (["start_guided_exercise"], "guided_exercise"),
        (["load_guided_exercise_skill"], "guided_exercise"),
        (["record_guided_exercise_progress"], "guided_exercise"),
        (["load_therapeutic_response_skill", "start_guided_exercise"], "guided_exercise"),
        (["start_guided_exercise", "show_saved_memory"], "memory_control"),
        (["show_memory_status", "answer_grounded_lookup", "start_guided_exercise"], "grounded_lookup"),
        (["start_guided_exercise", "answer_grounded_lookup", "get_crisis_support_template"], "crisis"),
        (["answer_grounded_lookup", "lookup_crisis_resources", "confirm_memory_deletion"], "crisis"),
    ],
)
def test_the_route_is_that_of_the_call_with_the_highest_priority_in_any_order(names: list[str], route: str):
    for order in itertools.permutations(names):
        assert route_of(called(*order)).route == route


@pytest.mark.row("F10")
@pytest.mark.parametrize(
    ("calls", "style"),
    [
        ([], None),
        (called("show_memory_status"), None),
        (called("lookup_crisis_resources", status="failed"), "supportive"),
        (called("start_guided_exercise"), "technique"),
        (called("load_therapeutic_response_skill", response_style="reflective"), "reflective"),
        (called("load_therapeutic_response_skill", response_style="shouting"), None),
        (called("load_therapeutic_response_skill", response_style=["closing"]), None),
        (called("load_therapeutic_response_skill", status="failed", response_style="closing"), None),
        (called("load_therapeutic_response_skill", "lookup_crisis_resources", response_style="closing"), "supportive"),
        (called("load_therapeutic_response_skill", "start_guided_exercise", response_style="closing"), "closing"),
    ],
)
def test_the_response_style_is_that_of_the_loaded_skill_unless_somebody_is_in_danger(
    calls: list[ToolCallRecord], style: str | None
):
    assert route_of(calls).response_style == style


@pytest.mark.row("F10")
async def test_a_turn_is_kept_with_the_route_of_its_tools_whatever_the_client_says(backend: BackendEnd):
    calls = [{"tool_name": "lookup_crisis_resources", "status": "failed"}]
    for fields in ({"route": "therapeutic", "tool_calls": calls}, {"route": "greeting", "response_style": "closing"}):
        reply = await backend.turn(user_text="hello", memory_mode="persistent", **fields)
        assert reply.json()["recorded"] is True
    kept = rows(backend, "SELECT route, response_style FROM turns ORDER BY number")
    assert [tuple(turn.values()) for turn in kept] == [("crisis", "supportive"), ("greeting", "closing")]
