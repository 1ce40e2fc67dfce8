"""The results of a run, for other programs: JUnit's XML, and JSON with everything.

Law: what a model said is data; a character that XML cannot hold is shown, not written.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import msgspec

from couchvoice.errors import ConfigError
from couchvoice.scenario.outcome import Outcome
from couchvoice.scenario.percentiles import percentiles

FORMAT = 1  # of the JSON

# XML 1.0 §2.2: all other characters, escaped or not, make a document unreadable.
_NO_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def merged_figures(outcomes: Iterable[Outcome]) -> dict[str, list[float]]:
    """All measurements of each name."""
    merged: dict[str, list[float]] = {}
    for outcome in outcomes:
        for name, values in outcome.figures.items():
            merged.setdefault(name, []).extend(values)
    return merged


def summed_up(figures: Mapping[str, Sequence[float]]) -> dict[str, dict[str, float]]:
    return {name: percentiles(values) for name, values in figures.items() if values}


def json_results(outcomes: Sequence[Outcome]) -> bytes:
    counts = {kind: sum(one.outcome == kind for one in outcomes) for kind in ("passed", "failed", "broken")}
    whole: dict[str, Any] = {
        "format": FORMAT,
        **counts,
        "figures": summed_up(merged_figures(outcomes)),
        "scenarios": msgspec.to_builtins(outcomes),
    }
    return msgspec.json.format(msgspec.json.encode(whole), indent=2) + b"\n"


def junit_results(outcomes: Sequence[Outcome]) -> bytes:
    """One suite for each file. A scenario that passed at a later try has its failures as ``flakyFailure``."""
    root = ElementTree.Element("testsuites", _counts(outcomes))
    for file in dict.fromkeys(outcome.file for outcome in outcomes):
        cases = [outcome for outcome in outcomes if outcome.file == file]
        suite = ElementTree.SubElement(root, "testsuite", {"name": _text(file), **_counts(cases)})
        for outcome in cases:
            _add_case(suite, outcome)
    ElementTree.indent(root)
    document: bytes = ElementTree.tostring(root, encoding="utf-8", xml_declaration=True)
    return document + b"\n"


def write_results(path: Path, content: bytes) -> None:
    """Raises ConfigError."""
    with _told_of(path):
        path.write_bytes(content)


def require_writable(path: Path) -> None:
    """What is there stays. Raises ConfigError."""
    with _told_of(path):
        was_there = path.exists()
        path.open("ab").close()
        if not was_there:
            path.unlink()


@contextmanager
def _told_of(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as exc:
        raise ConfigError(f"cannot write {path}: {(exc.strerror or str(exc)).lower()}") from exc


def _counts(outcomes: Sequence[Outcome]) -> dict[str, str]:
    return {
        "tests": str(len(outcomes)),
        "failures": str(sum(outcome.outcome == "failed" for outcome in outcomes)),
        "errors": str(sum(outcome.outcome == "broken" for outcome in outcomes)),
        "time": f"{sum(outcome.real_seconds for outcome in outcomes):.3f}",
    }


def _add_case(suite: ElementTree.Element, outcome: Outcome) -> None:
    known = {"name": outcome.name, "classname": Path(outcome.file).stem, "file": outcome.file}
    case = ElementTree.SubElement(
        suite,
        "testcase",
        {name: _text(value) for name, value in known.items()} | {"time": f"{outcome.real_seconds:.3f}"},
    )
    properties = ElementTree.SubElement(case, "properties")
    for name, figure in summed_up(outcome.figures).items():
        ElementTree.SubElement(properties, "property", {"name": f"{name}.p95", "value": f"{figure['p95']:g}"})
    for name, value in (("clock", outcome.clock), ("seconds", f"{outcome.seconds:g}")):
        ElementTree.SubElement(properties, "property", {"name": name, "value": value})
    for error in outcome.earlier_errors:
        kind = "flakyFailure" if outcome.passed else "rerunFailure"
        ElementTree.SubElement(case, kind, {"message": _text(error)})
    if not outcome.passed:
        kind = "failure" if outcome.outcome == "failed" else "error"
        failure = ElementTree.SubElement(case, kind, {"message": _text(outcome.error or "")})
        lines = (f"{one.line}: {one.what}\n  expected {one.expected}\n  got {one.got}" for one in outcome.failed_checks)
        told = [outcome.mismatch] if outcome.mismatch else []
        failure.text = _text("\n".join([*told, *lines]) or outcome.error or "")


def _text(text: str) -> str:
    return _NO_XML.sub(lambda found: f"\\x{ord(found[0]):02x}", text)
