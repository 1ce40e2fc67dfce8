"""A script says which call goes wrong how; a mistake in it is found when it is read, with its line."""

from __future__ import annotations

from pathlib import Path

import pytest

from couchvoice.errors import ConfigError
from couchvoice.local.faults.fault_script import FaultScript
from couchvoice.local.faults.faults import Faults

BROKEN = {
    "nothing": ("", "there is nothing in it"),
    "no YAML": ("calls: [\n", "line 2: "),
    "a control character": ("calls: \x01\n", "not allowed"),
    "no calls": ("then: repeat\n", "line 1: no calls"),
    "no list": ("calls: {status: 500}\n", "line 1: expected a list"),
    "an empty list": ("calls: []\n", "line 1: expected a list"),
    "a call that is no mapping": ("calls:\n- status=500\n", "line 2: expected keys and values"),
    "an unknown key": ("calls:\n- {}\nafter: repeat\n", "line 3: unknown key 'after': the file has calls, then"),
    "an unknown fault": ("calls:\n- {}\n- delay: 3\n", "line 3: There are the faults status, .*, and no 'delay'"),
    "a bad number": ("calls:\n- delay_ms: 3\n  drop_rate: 7\n", "line 3: drop_rate is '7': Expected `float` <= 1"),
    "a fault twice": ("calls:\n- status: 500\n  status: 500\n", "line 3: 'status' is there twice"),
    "a mapping as value": ("calls:\n- delay_ms: {a: 1}\n", "line 2: expected a text"),
    "an unknown end": ("calls:\n- {}\nthen: stop\n", "line 3: then can only be repeat"),
}
CALLS = "calls:\n- status: 500\n- delay_ms: 200\n  drop: [response.done, rate_limits.*]\n  no_deltas: true\n"


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "faults.yaml"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.row("O7")
def test_each_call_gets_its_faults_and_those_after_the_list_get_none(tmp_path: Path) -> None:
    script = FaultScript.load(written(tmp_path, CALLS))
    assert [script.next() for _ in range(4)] == [
        Faults(status=500),
        Faults(delay_ms=200, drop=("response.done", "rate_limits.*"), no_deltas=True),
        Faults(),
        Faults(),
    ]


def test_the_last_call_can_be_repeated(tmp_path: Path) -> None:
    script = FaultScript.load(written(tmp_path, "calls:\n- {}\n- drop: error|response.*\nthen: repeat\n"))
    wrong = Faults(drop=("error", "response.*"))
    assert [script.next() for _ in range(4)] == [Faults(), wrong, wrong, wrong]


@pytest.mark.parametrize("mistake", BROKEN)
def test_a_mistake_is_named_with_its_line(tmp_path: Path, mistake: str) -> None:
    text, expected = BROKEN[mistake]
    with pytest.raises(ConfigError, match=rf"faults\.yaml.*{expected}"):
        FaultScript.load(written(tmp_path, text))


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"cannot read .*none\.yaml"):
        FaultScript.load(tmp_path / "none.yaml")


def test_a_file_that_nests_too_deeply_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"faults\.yaml: nested too deeply"):
        FaultScript.load(written(tmp_path, "[" * 2000))
