"""The results, as other programs read them."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree

import pytest

from couchvoice.errors import ConfigError
from couchvoice.scenario.outcome import CheckOutcome, Outcome, writable
from couchvoice.scenario.results import json_results, junit_results, require_writable

BAD = CheckOutcome("user", False, '"a & <b>"', '"\x1b[31m\ud800"', "talk.yaml:3:5")
OUTCOMES = [
    Outcome(name="good", file="a.yaml", figures={"response_ms": [3.0, 1.0]}, real_seconds=0.5, seconds=5.0),
    Outcome(name="flaky", file="a.yaml", attempts=2, earlier_errors=["it was late"], figures={"response_ms": [2.0]}),
    Outcome(name="bad <&>", file="b.yaml", outcome="failed", error="talk.yaml:3:5: user\x00", checks=[BAD]),
    Outcome(name="broken", file="b.yaml", outcome="broken", error="no such setting"),
]


def test_junit_holds_each_scenario_with_what_went_wrong() -> None:
    root = ElementTree.fromstring(junit_results(OUTCOMES))
    assert {name: root.get(name) for name in ("tests", "failures", "errors")} == {
        "tests": "4",
        "failures": "1",
        "errors": "1",
    }
    assert [suite.get("name") for suite in root] == ["a.yaml", "b.yaml"]
    good, flaky, bad, broken = root.iter("testcase")
    assert good.get("time") == "0.500"
    assert {one.get("name"): one.get("value") for one in good.iter("property")} == {
        "response_ms.p95": "3",
        "clock": "real",
        "seconds": "5",
    }
    assert [one.get("message") for one in flaky.iter("flakyFailure")] == ["it was late"]
    assert flaky.find("failure") is None
    failure = bad.find("failure")
    assert failure is not None
    assert failure.get("message") == "talk.yaml:3:5: user\\x00"
    assert failure.text == 'talk.yaml:3:5: user\n  expected "a & <b>"\n  got "\\x1b[31m\\xd800"'
    assert broken.find("error") is not None


def test_whether_a_file_can_be_written_is_known_before_and_changes_nothing(tmp_path: Path) -> None:
    old, new = tmp_path / "old.xml", tmp_path / "new.xml"
    old.write_text("of the last run")
    for path in (old, new):
        require_writable(path)
    assert (old.read_text(), new.exists()) == ("of the last run", False)
    with pytest.raises(ConfigError, match=r"cannot write .*: is a directory"):
        require_writable(tmp_path)


def test_json_holds_everything() -> None:
    results = json.loads(json_results(OUTCOMES[:2] + OUTCOMES[3:]))
    assert (results["format"], results["passed"], results["failed"], results["broken"]) == (1, 2, 0, 1)
    assert results["figures"] == {"response_ms": {"count": 3, "p50": 2.0, "p95": 3.0, "max": 3.0}}
    assert [one["name"] for one in results["scenarios"]] == ["good", "flaky", "broken"]


def test_a_text_that_cannot_be_encoded_is_shown() -> None:
    assert writable("half of \ud83d, \N{GRINNING FACE}") == "half of \\ud83d, \N{GRINNING FACE}"
