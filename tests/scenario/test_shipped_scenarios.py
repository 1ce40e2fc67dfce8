"""The shipped scenarios hold: each is a conversation over real WebRTC with both ends, on the media clock."""

from __future__ import annotations

import pytest

from couchvoice.scenario.collect import SHIPPED
from couchvoice.scenario.runner import run_scenario
from couchvoice.scenario.scenario import Scenario
from couchvoice.scenario.script_file import read_scenarios
from couchvoice.settings import load_settings

FILES = sorted(SHIPPED.glob("t??-*.yaml"))
SCENARIOS = [scenario for file in FILES for scenario in read_scenarios(file)]
# Those that need what is not there yet: renewal and reconnection.
LATER = {3, 19, 20, 26}


@pytest.mark.row("L7")
@pytest.mark.timeout(120)
@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_a_shipped_scenario_holds(scenario: Scenario) -> None:
    held = run_scenario(scenario, load_settings())
    assert (held.outcome.outcome, held.outcome.error) == ("passed", None)
    assert held.outcome.checks
    assert held.outcome.clock == "media"


@pytest.mark.row("L7")
def test_every_number_is_there_but_those_that_come_later() -> None:
    assert {int(file.name[1:3]) for file in FILES} == set(range(1, 29)) - LATER
