"""Crisis lines by country, from the shipped dataset.

Law: every line has a name, a number that one can dial and an https page, and the dataset says where each was read and
when; a dataset with a gap is refused as a whole.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from importlib import resources
from pathlib import Path

import yaml

HTTPS = "https://"
MIN_DIGITS, MAX_DIGITS = 3, 15  # ITU-T E.164: "The maximum number of digits is 15"; short codes have three

_DIALLED = re.compile(r"[+*#(]?[\d\s().#*-]+")


@dataclass(frozen=True, slots=True)
class Resource:
    name: str
    phone: str
    url: str
    region: str


@dataclass(frozen=True, slots=True)
class Country:
    region: str
    patterns: tuple[re.Pattern[str], ...]
    resources: tuple[Resource, ...]


def load_countries(path: Path) -> tuple[Country, ...]:
    """Raises ValueError for a dataset that cannot be trusted as it stands, OSError for one that cannot be read."""
    try:
        entries = yaml.safe_load(path.read_text(encoding="utf-8"))
        return tuple(_country(entry) for entry in entries)
    except (yaml.YAMLError, KeyError, TypeError) as exc:
        raise ValueError(f"{path.name} is not a list of countries with their lines") from exc


def is_line(name: str, phone: str, url: str) -> bool:
    """Somebody can call it, and look at its own page."""
    digits = sum(letter.isdecimal() for letter in phone)
    dialled = _DIALLED.fullmatch(phone) is not None and MIN_DIGITS <= digits <= MAX_DIGITS
    return bool(name.strip()) and dialled and url.startswith(HTTPS) and len(url) > len(HTTPS)


@functools.cache
def shipped_countries() -> tuple[Country, ...]:
    with resources.as_file(resources.files("couchvoice.backend.crisis") / "resources.yaml") as path:
        return load_countries(path)


def _country(entry: dict[str, object]) -> Country:
    region, names, codes, lines = entry["region"], entry["names"], entry["codes"], entry["resources"]
    if not (
        isinstance(region, str) and isinstance(names, list) and isinstance(codes, list) and isinstance(lines, list)
    ):
        raise TypeError(region)
    return Country(
        region,
        (_pattern(names, re.I), _pattern(codes)) if codes else (_pattern(names, re.I),),
        tuple(_resource(line, region) for line in lines),
    )


def _pattern(names: Sequence[str], flags: re.RegexFlag = re.NOFLAG) -> re.Pattern[str]:
    longest_first = sorted(names, key=len, reverse=True)
    return re.compile(rf"(?<!\w)(?:{'|'.join(map(re.escape, longest_first))})(?!\w)", flags)


def _resource(line: dict[str, object], region: str) -> Resource:
    name, phone, url, source, checked = (line[field] for field in ("name", "phone", "url", "source", "checked"))
    if not (isinstance(name, str) and isinstance(phone, str) and isinstance(url, str) and isinstance(source, str)):
        raise TypeError(region)
    if not is_line(name, phone, url):
        raise ValueError(f"a line of {region} has no name, no number or no https page")
    if not (source.startswith(HTTPS) and isinstance(checked, date)):
        raise ValueError(f"a line of {region} does not say where its number was read, and when")
    return Resource(name, phone, url, region)
