"""Finding a country in what was said."""

from __future__ import annotations

import logging

import pytest

from couchvoice.backend.crisis.places import look_up, spoken
from couchvoice.backend.crisis.resources import shipped_countries
from couchvoice.backend.tools import ToolContext
from couchvoice.backend.tools.lookup_crisis_resources import lookup_crisis_resources


@pytest.mark.row("H3")
@pytest.mark.parametrize(
    ("said", "region"),
    [
        ("I'm in the United States", "United States"),
        ("i am in the us right now", "United States"),
        ("The US.", "United States"),
        ("Germany", "Germany"),
        ("I live in Northern Ireland.", "United Kingdom"),
        ("I\u2019m from Germany but I live in Ireland", "Ireland"),
        ("I am not in France, I'm in Canada", "Canada"),
        ("I left Australia, New Zealand is home", "New Zealand"),
        ("in the UK", "United Kingdom"),
        ("Ich bin in Deutschland", "Germany"),
        ("I live in South Africa", "South Africa"),
        ("I live in New Mexico", "United States"),
        ("I'm in Mexico City, in Mexico", "Mexico"),
        ("Estoy en México", "Mexico"),
        ("I moved to the Netherlands, I am in the Netherlands", "Netherlands"),
        ("Jag bor i Sverige", "Sweden"),
    ],
)
def test_a_country_that_was_named_is_found(said: str, region: str) -> None:
    lookup = look_up([said], shipped_countries())
    assert (lookup.status, lookup.location) == ("found", region)
    assert all(resource.region == region for resource in lookup.resources)


@pytest.mark.row("H3")
@pytest.mark.parametrize(
    ("said", "status"),
    [
        ("Nobody can help us", "no_location"),
        ("My brother lives in South America", "no_location"),
        ("I moved from France to Germany", "no_location"),
        ("I'm in pain and I can't sleep", "no_location"),
        ("I'd rather not say where I am", "location_refused"),
        ("I don't want to tell you my country", "location_refused"),
        ("It is none of your business where I am, I was in France once", "location_refused"),
        ("Do not look up where I am", "location_refused"),
        ("Please keep my location private", "location_refused"),
        ("I am in Germany or France", "no_location"),
        ("I used to live in Germany", "no_location"),
        ("I live in Mongolia", "no_verified_results"),
        ("I feel swiss cheese in my head", "no_location"),
        ("", "not_attempted"),
    ],
)
def test_a_doubt_finds_nothing(said: str, status: str) -> None:
    lookup = look_up([said], shipped_countries())
    assert lookup.status == status
    assert lookup.resources == ()


@pytest.mark.parametrize(("region", "said"), [("United States", "the United States"), ("Ireland", "Ireland")])
def test_a_place_is_said_as_people_say_it(region: str, said: str) -> None:
    assert spoken(region) == said


def test_the_newest_words_decide() -> None:
    assert look_up(["I'm in Canada now", "I live in France"], shipped_countries()).location == "Canada"
    refused = look_up(["I won't say where I live", "I live in France"], shipped_countries())
    assert refused.status == "location_refused"


def test_the_place_that_has_no_line_is_named_back() -> None:
    assert look_up(["I live in Costa Rica."], shipped_countries()).location == "Costa Rica"


async def test_an_unreadable_dataset_is_said_and_not_hidden(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def unreadable() -> None:
        raise OSError

    monkeypatch.setattr("couchvoice.backend.crisis.desk.shipped_countries", unreadable)
    context = ToolContext(thread_id="t", owner="t", said=["I live in France"], store=None)
    with caplog.at_level(logging.ERROR):
        output = await lookup_crisis_resources(context)
    assert output["resource_lookup_status"] == "lookup_error"
    assert output["found_resources"] == []
