"""Scripts, read from a file and held on the media clock."""

from __future__ import annotations

from pathlib import Path

import pytest

from couchvoice.scenario.runner import Held, run_scenario
from couchvoice.scenario.script_file import read_scenarios
from couchvoice.settings import load_settings
from tests.scenario.holding import Hold


@pytest.fixture
def hold(tmp_path: Path) -> Hold:
    """``hold(text)``: the file is called talk.yaml."""

    def hold(text: str) -> Held:
        path = tmp_path / "talk.yaml"
        path.write_text(text, encoding="utf-8")
        (scenario,) = read_scenarios(path)
        return run_scenario(scenario, load_settings())

    return hold
