"""The short form of the fault bench: a few rounds of each fault, a low rate; ``scripts/bench faults`` is the long one.

The sabotaged control runs for a few kinds here, for all of them there.
"""

from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.faults.scenario import Scenario
from tests.faults.scenarios import SCENARIOS, SHORT
from tests.faults.trial import trial
from tests.servers import find_influxd, find_mosquitto

pytestmark = [pytest.mark.faults, pytest.mark.mosquitto]
RATE = 1000


@pytest.fixture
def scenario(request: pytest.FixtureRequest) -> Scenario:
    """The scenario of the case, when its parts are on this machine."""
    scenario: Scenario = request.param
    if find_mosquitto() is None:
        pytest.skip("mosquitto is not installed; scripts/test installs it where it may: apt install mosquitto")
    if scenario.setting.store == "influxdb" and find_influxd() is None:
        pytest.skip("influxd is not built; needs Go and cargo: scripts/build-influxd")
    return scenario


def _cases(scenarios: Sequence[Scenario]) -> list[object]:
    return [
        pytest.param(one, id=one.name, marks=[pytest.mark.influxd] if one.setting.store == "influxdb" else [])
        for one in scenarios
    ]


@pytest.mark.parametrize("scenario", _cases(SHORT), indirect=True)
async def test_what_is_promised_holds(scenario: Scenario, tmp_path: Path) -> None:
    outcome = await trial(scenario, tmp_path, "fault", rounds=scenario.short_rounds, rate=RATE)
    assert outcome["wrong"] == []
    assert outcome["published"] > RATE / 2


@pytest.mark.parametrize("scenario", _cases(SHORT[:1]), indirect=True)
async def test_without_a_fault_everything_is_there(scenario: Scenario, tmp_path: Path) -> None:
    outcome = await trial(scenario, tmp_path, "control", rounds=2, rate=RATE)
    assert (outcome["wrong"], outcome["rejected"]) == ([], 0)
    assert outcome["stored"] == outcome["published"] > RATE


@pytest.mark.parametrize("scenario", _cases([one for one in SHORT if one.short_sabotage]), indirect=True)
async def test_the_oracle_catches_a_collector_that_is_broken(scenario: Scenario, tmp_path: Path) -> None:
    outcome = await trial(scenario, tmp_path, "sabotaged", rounds=3, rate=RATE)
    assert outcome["wrong"]


def test_names_are_unique() -> None:
    names = [scenario.name for scenario in SCENARIOS]
    assert len(set(names)) == len(names)
