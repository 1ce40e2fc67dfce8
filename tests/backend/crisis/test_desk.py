"""The desk and the template: lines of this turn and of no other, a source for places without one, and the words."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from couchvoice.backend.companion import configured_crisis_watch
from couchvoice.backend.crisis import desk as desk_module
from couchvoice.backend.crisis.desk import NOT_ATTEMPTED, CrisisDesk
from couchvoice.backend.crisis.places import Lookup
from couchvoice.backend.crisis.resources import Resource
from couchvoice.backend.crisis.template import AVOID, RiskLevel, support
from couchvoice.backend.lookup.source import LookupFailed
from couchvoice.backend.tools import ToolContext
from couchvoice.companion_settings import CompanionSettings
from couchvoice.errors import ConfigError
from tests.backend.ends import BackendEnd, running_backend
from tests.local.serving import served

LEVELS: tuple[RiskLevel, ...] = ("moderate", "high", "imminent")
LINE = Resource("Lifeline of Mongolia", "1800-2000", "https://lifeline.mn/", "Mongolia")


def asker(*said: str, item: str | None = "item_1", thread: str = "t", owner: str = "ada") -> ToolContext:
    return ToolContext(thread_id=thread, owner=owner, said=said, store=None, said_item=item)


class Live:
    """A source in this process."""

    name = "live"

    def __init__(self, *lines: Resource, fails: bool = False) -> None:
        self.lines, self.fails = lines, fails
        self.asked: list[str] = []

    async def find(self, query: str) -> Sequence[Resource]:
        self.asked.append(query)
        if self.fails:
            raise LookupFailed(self.name)
        return self.lines

    async def close(self) -> None:
        pass


@pytest.mark.row("H5")
async def test_a_lookup_is_known_for_its_turn_and_by_nobody_else() -> None:
    desk = CrisisDesk()
    found = await desk.look_up(asker("I am in Ireland"))
    assert desk.of_this_turn(asker("I am in Ireland")) == found
    assert desk.of_this_turn(asker("I am in Ireland and I am afraid")) == found  # the transcript has grown
    for other in (
        asker("I am in Ireland", item="item_2"),  # the same words, said again
        asker("And in France?", "I am in Ireland"),
        asker("", "I am in Ireland"),
        asker("I am in Ireland", thread="t2"),
        asker("I am in Ireland", owner="eve"),
        asker(),
    ):
        assert desk.of_this_turn(other) == NOT_ATTEMPTED


@pytest.mark.row("H5")
async def test_a_lookup_before_the_words_were_known_is_of_no_turn_that_can_be_told() -> None:
    desk = CrisisDesk()
    await desk.look_up(asker("", "I live in Ireland"))
    assert desk.of_this_turn(asker("", "I live in Ireland")) == NOT_ATTEMPTED
    assert desk.of_this_turn(asker("Please help", "I live in Ireland")) == NOT_ATTEMPTED


@pytest.mark.row("H5")
async def test_a_turn_that_ends_takes_its_lookup_along_and_leaves_that_of_the_next_one() -> None:
    desk = CrisisDesk()
    await desk.look_up(asker("I am in Ireland"))
    desk.turn_over("t", owner="ada", user_text="Hello there")  # an earlier one, told late
    assert desk.of_this_turn(asker("I am in Ireland")).status == "found"
    desk.turn_over("t", owner="ada", user_text="I am in Ireland, thanks.")
    assert desk.of_this_turn(asker("I am in Ireland")) == NOT_ATTEMPTED
    await desk.look_up(asker("I am in Ireland"))
    desk.talk_over("t", owner="ada")
    assert desk.of_this_turn(asker("I am in Ireland")) == NOT_ATTEMPTED


async def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(desk_module, "MAX_TALKS", 2)
    monkeypatch.setattr(desk_module, "MAX_SERVED", 1)
    live = Live(LINE, Resource("B", "555-0100", "https://b.org", "Mongolia"))
    desk = CrisisDesk(live=live)
    for thread in ("one", "two", "three"):
        await desk.look_up(asker("I live in Mongolia", thread=thread))
    assert desk.of_this_turn(asker("I live in Mongolia", thread="one")) == NOT_ATTEMPTED
    assert desk.of_this_turn(asker("I live in Mongolia", thread="three")).status == "found"
    assert (desk.has_given("1800 2000"), desk.has_given("555 0100")) == (False, True)


@pytest.mark.row("H3")
async def test_a_source_is_asked_for_the_place_alone_and_only_where_the_dataset_has_no_line() -> None:
    live = Live(LINE, Resource("No number", "call us", "https://x.org", "Mongolia"), Resource("C", "123", "ftp:", "M"))
    desk = CrisisDesk(live=live)
    assert not desk.has_given(LINE.phone)
    found = await desk.look_up(asker("I want to die. I live in Mongolia."))
    assert found == Lookup("found", "Mongolia", (LINE,))
    assert live.asked == ["Mongolia"]
    assert desk.has_given("18002000")
    for said in ("I am in Ireland", "Help me", "I'd rather not say where I live", ""):
        await desk.look_up(asker(said))
    assert live.asked == ["Mongolia"]


@pytest.mark.row("H3")
async def test_all_six_statuses_are_told() -> None:
    told = {
        "found": ("I am in France", None),
        "no_location": ("Help me", None),
        "location_refused": ("I won't tell you where I live", None),
        "no_verified_results": ("I live in Mongolia", Live()),
        "lookup_error": ("I live in Mongolia", Live(fails=True)),
        "not_attempted": ("", None),
    }
    for status, (said, live) in told.items():
        assert (await CrisisDesk(live=live).look_up(asker(said))).status == status


@pytest.mark.row("H5")
@pytest.mark.parametrize("level", LEVELS)
def test_the_words_are_the_same_every_time_and_name_no_number_of_their_own(level: RiskLevel) -> None:
    statuses = ("no_location", "location_refused", "no_verified_results", "lookup_error", "not_attempted")
    for status in statuses:
        words = support(level, Lookup(status))
        assert words == support(level, Lookup(status))
        assert not any(letter.isdigit() for letter in str(words))
        assert words["avoid"] == list(AVOID)
        assert len(set(words["avoid"])) == 5
        assert words["one_question"].endswith("?")
        assert words["response_text"].count("?") == 1
    parts = ("opening", "validation", "immediate_safety_step", "resource_guidance", "one_question")
    assert [support(level, NOT_ATTEMPTED)[part] in support(level, NOT_ATTEMPTED)["response_text"] for part in parts]


@pytest.mark.row("H5")
def test_each_level_has_words_of_its_own_and_danger_now_means_the_emergency_number() -> None:
    words = [support(level, NOT_ATTEMPTED) for level in LEVELS]
    for one, other in itertools.combinations(words, 2):
        for part in ("opening", "validation", "immediate_safety_step", "one_question"):
            assert one[part] != other[part]
    assert "emergency number" in words[-1]["immediate_safety_step"]


async def call(backend: BackendEnd, name: str, said: str, item: str, **arguments: Any) -> dict[str, Any]:
    transcript = [{"role": "user", "content": said, "item_id": item}]
    reply = await backend.tool(name, current_user_message=said, transcript=transcript, arguments=arguments)
    assert reply.status_code == HTTPStatus.OK, reply.text
    output: dict[str, Any] = reply.json()["output"]
    return output


TEMPLATE, LOOKUP = "get_crisis_support_template", "lookup_crisis_resources"


@pytest.mark.row("H5")
async def test_the_template_names_the_line_of_this_turn_and_next_turn_no_more(backend: BackendEnd) -> None:
    said = "I am in Ireland and I want to die"
    before = await call(backend, TEMPLATE, said, "item_1", risk_level="high", inferred_location="Ireland")
    assert before["resource_lookup_status"] == "not_attempted"
    assert not any(letter.isdigit() for letter in before["response_text"])
    await call(backend, LOOKUP, said, "item_1")
    now = await call(backend, TEMPLATE, said, "item_1", risk_level="high", inferred_location="France")
    assert "116 123" in now["resource_guidance"]
    assert now["inferred_location"] == "Ireland"
    later = await call(backend, TEMPLATE, "What now?", "item_2", risk_level="high", inferred_location="Ireland")
    assert later["resource_lookup_status"] == "not_attempted"
    assert "116" not in later["response_text"]


@pytest.mark.row("H5")
async def test_recording_the_turn_resets_its_lookup(backend: BackendEnd) -> None:
    said = "I am in Ireland"
    await call(backend, LOOKUP, said, "item_1")
    await backend.turn(user_text=said, assistant_text="You can call somebody.")
    after = await call(backend, TEMPLATE, said, "item_1", risk_level="moderate")
    assert after["resource_lookup_status"] == "not_attempted"


@pytest.mark.parametrize("arguments", [{}, {"risk_level": "low"}, {"risk_level": "high", "phone": "1"}])
async def test_a_danger_that_is_none_of_the_three_is_refused(backend: BackendEnd, arguments: dict[str, Any]) -> None:
    reply = await backend.tool(TEMPLATE, arguments=arguments)
    assert reply.status_code == HTTPStatus.UNPROCESSABLE_ENTITY


@pytest.mark.row("H3")
async def test_talks_at_once_do_not_get_each_others_lines(tmp_path: Any) -> None:
    places = {"one": ("Ireland", "116 123"), "two": ("France", "3114"), "three": ("Sweden", "90101")}

    async def talk(backend: BackendEnd, thread: str) -> None:
        place, phone = places[thread]
        for turn in range(5):
            said = f"I am in {place}, turn {turn}"
            about = {"current_user_message": said, "transcript": [{"role": "user", "content": said}]}
            await backend.tool(LOOKUP, thread, **about)
            words = await backend.tool(TEMPLATE, thread, **about, arguments={"risk_level": "high"})
            assert phone in words.json()["output"]["resource_guidance"]

    async with running_backend(tmp_path / "state") as backend:
        await asyncio.gather(*(talk(backend, thread) for thread in places))


@pytest.mark.row("H3")
async def test_a_source_of_lines_is_asked_over_http_and_its_line_reused_in_the_turn(tmp_path: Any) -> None:
    asked: list[Any] = []

    async def find(request: Request) -> JSONResponse:
        asked.append(await request.json())
        bad = {"name": "No page", "phone": "1", "url": "http://x", "region": "Mongolia"}
        good = {"name": LINE.name, "phone": LINE.phone, "url": LINE.url, "region": LINE.region, "more": 1}
        return JSONResponse({"results": [bad, {"name": "half"}, good]})

    async with served(Starlette(routes=[Route("/lines", find, methods=["POST"])])) as host:
        watch = configured_crisis_watch(CompanionSettings(crisis_lookup_url=f"http://{host}/lines"))
        async with running_backend(tmp_path / "state", crisis=watch) as backend:
            found = await call(backend, LOOKUP, "I live in Mongolia", "item_1")
            words = await call(backend, TEMPLATE, "I live in Mongolia", "item_1", risk_level="moderate")
    assert asked == [{"query": "Mongolia"}]
    assert [line["phone"] for line in found["found_resources"]] == [LINE.phone]
    assert LINE.phone in words["resource_guidance"]


@pytest.mark.row("H3")
async def test_a_source_of_lines_that_fails_is_a_status_and_no_failure(tmp_path: Any) -> None:
    watch = configured_crisis_watch(CompanionSettings(crisis_lookup_url="http://127.0.0.1:1/lines"))
    async with running_backend(tmp_path / "state", crisis=watch) as backend:
        found = await call(backend, LOOKUP, "I live in Mongolia", "item_1")
        known = await call(backend, LOOKUP, "I live in France", "item_2")
    assert (found["resource_lookup_status"], known["resource_lookup_status"]) == ("lookup_error", "found")
    assert "emergency number" in found["response_text"]


def test_a_source_of_lines_is_held_to_the_rules_of_addresses() -> None:
    with pytest.raises(ConfigError):
        configured_crisis_watch(CompanionSettings(crisis_lookup_url="http://lines.example.com"))
