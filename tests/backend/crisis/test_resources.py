"""The shipped dataset of crisis lines, and what is no dataset."""

from __future__ import annotations

from datetime import date
from importlib import resources
from pathlib import Path
from typing import Any

import pytest
import yaml

from couchvoice.backend.crisis.resources import is_line, load_countries, shipped_countries

OLDEST = date(2026, 1, 1)  # a line that nobody has looked at for so long is looked at again
LINE = "{name: A, phone: '123', url: 'https://x.org', source: 'https://y.org', checked: 2026-11-20}"


def entries() -> list[dict[str, Any]]:
    text = (resources.files("couchvoice.backend.crisis") / "resources.yaml").read_text(encoding="utf-8")
    loaded: list[dict[str, Any]] = yaml.safe_load(text)
    return loaded


@pytest.mark.row("H3")
@pytest.mark.parametrize("entry", entries(), ids=lambda entry: entry["region"])
def test_every_shipped_line_has_all_its_fields(entry: dict[str, Any]) -> None:
    assert entry.keys() == {"region", "names", "codes", "resources"}
    assert entry["names"]
    assert all(name == name.lower() for name in entry["names"])
    for line in entry["resources"]:
        assert line.keys() == {"name", "phone", "url", "source", "checked"}
        assert is_line(line["name"], line["phone"], line["url"])
        assert line["source"].startswith("https://")
        assert OLDEST <= line["checked"] <= date.today()


@pytest.mark.row("H3")
def test_the_numbers_are_those_that_were_read() -> None:
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
        ("Netherlands", "113"),
        ("Belgium", "1813"),
        ("Switzerland", "143"),
        ("Austria", "142"),
        ("Spain", "024"),
        ("Italy", "02 2327 2327"),
        ("Sweden", "90101"),
        ("Norway", "116 123"),
        ("Iceland", "1717"),
        ("Poland", "116 123"),
        ("Israel", "1201"),
        ("South Africa", "0800 567 567"),
        ("Singapore", "1767"),
        ("Brazil", "188"),
        ("Mexico", "800 911 2000"),
    }


def test_no_name_belongs_to_two_countries() -> None:
    names = [name for entry in entries() for name in (*entry["names"], *entry["codes"])]
    assert len(names) == len(set(names))


@pytest.mark.parametrize(
    ("name", "phone", "url", "good"),
    [
        ("A", "988", "https://a.org", True),
        ("A", "+49 (0)800 111-0111", "https://a.org", True),
        ("A", "*4141", "https://a.org", True),
        (" ", "988", "https://a.org", False),
        ("A", "98", "https://a.org", False),
        ("A", "call us", "https://a.org", False),
        ("A", "988 or 911 or whatever", "https://a.org", False),
        ("A", "1234567890123456", "https://a.org", False),
        ("A", "988", "http://a.org", False),
        ("A", "988", "https://", False),
    ],
)
def test_a_line_can_be_called_and_looked_at(name: str, phone: str, url: str, good: bool) -> None:
    assert is_line(name, phone, url) is good


@pytest.mark.row("H3")
@pytest.mark.parametrize(
    "dataset",
    [
        "- region: [",
        "- region: Nowhere",
        "{}: 1",
        f"- {{region: X, names: [x], codes: [], resources: [{LINE.replace('https://x.org', 'http://x')}]}}",
        f"- {{region: X, names: [x], codes: [], resources: [{LINE.replace('123', '')}]}}",
        f"- {{region: X, names: [x], codes: [], resources: [{LINE.replace('https://y.org', '')}]}}",
        f"- {{region: X, names: [x], codes: [], resources: [{LINE.replace('2026-11-20', 'once')}]}}",
        f"- {{region: X, names: [x], codes: [], resources: [{LINE.replace(', checked: 2026-11-20', '')}]}}",
    ],
)
def test_a_dataset_that_cannot_be_trusted_is_refused(tmp_path: Path, dataset: str) -> None:
    path = tmp_path / "lines.yaml"
    path.write_text(f"- {{region: W, names: [w], codes: [], resources: [{LINE}]}}\n", encoding="utf-8")
    assert load_countries(path)[0].resources[0].phone == "123"
    path.write_text(dataset, encoding="utf-8")
    with pytest.raises(ValueError, match=r"lines\.yaml|a line of X"):
        load_countries(path)
