"""Finding a country in what was said, and the shipped dataset."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from couchvoice.backend.crisis_resources import load_countries, look_up, shipped_countries
from couchvoice.backend.tools import ToolContext
from couchvoice.backend.tools.lookup_crisis_resources import lookup_crisis_resources


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
    ],
)
def test_a_country_that_was_named_is_found(said: str, region: str) -> None:
    lookup = look_up([said], shipped_countries())
    assert (lookup.status, lookup.location) == ("found", region)
    assert all(resource.region == region for resource in lookup.resources)


@pytest.mark.parametrize(
    ("said", "status"),
    [
        ("Nobody can help us", "no_location"),
        ("My brother lives in South America", "no_location"),
        ("I moved from France to Germany", "no_location"),
        ("I'm in pain and I can't sleep", "no_location"),
        ("I'd rather not say where I am", "location_refused"),
        ("I don't want to tell you my country", "location_refused"),
        ("I live in Brazil", "no_verified_results"),
        ("", "not_attempted"),
    ],
)
def test_a_doubt_finds_nothing(said: str, status: str) -> None:
    lookup = look_up([said], shipped_countries())
    assert lookup.status == status
    assert lookup.resources == ()


def test_the_newest_words_decide() -> None:
    assert look_up(["I'm in Canada now", "I live in France"], shipped_countries()).location == "Canada"
    refused = look_up(["I won't say where I live", "I live in France"], shipped_countries())
    assert refused.status == "location_refused"


def test_the_place_that_has_no_line_is_named_back() -> None:
    assert look_up(["I live in Costa Rica."], shipped_countries()).location == "Costa Rica"


def test_every_shipped_line_has_a_name_a_number_and_an_https_page() -> None:
    lines = {(line.region, line.phone) for country in shipped_countries() for line in country.resources}
    assert lines == {
        ("United States", "988"),
        ("Canada", "988"),
        ("United Kingdom", "116 123"),
        ("Ireland", "116 123"),
        ("Australia", "13 11 14"),
        ("New Zealand", "1737"),
        ("Germany", "0800 1110111"),
        ("France", "3114"),
    }


@pytest.mark.parametrize(
    "dataset",
    [
        "- region: [",
        "- region: Nowhere",
        "{}: 1",
        "- {region: X, names: [x], codes: [], resources: [{name: A, phone: '1', url: 'http://x'}]}",
    ],
)
def test_a_dataset_that_cannot_be_trusted_is_refused(tmp_path: Path, dataset: str) -> None:
    path = tmp_path / "lines.yaml"
    path.write_text(dataset, encoding="utf-8")
    with pytest.raises(ValueError, match=r"lines\.yaml|a line of X"):
        load_countries(path)


async def test_an_unreadable_dataset_is_said_and_not_hidden(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def unreadable() -> None:
        raise OSError

    monkeypatch.setattr("couchvoice.backend.tools.lookup_crisis_resources.shipped_countries", unreadable)
    context = ToolContext(thread_id="t", owner="t", said=["I live in France"], store=None)
    with caplog.at_level(logging.ERROR):
        output = await lookup_crisis_resources(context)
    assert output["resource_lookup_status"] == "lookup_error"
    assert output["found_resources"] == []
