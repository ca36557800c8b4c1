"""A collector killed under load loses nothing that was acknowledged, and the oracle catches one that would."""

from pathlib import Path

import pytest

from tests.faults.rounds import HONEST, SABOTAGED, trial

pytestmark = [pytest.mark.faults, pytest.mark.mosquitto]


async def test_killed_three_times_nothing_is_lost_or_doubled(tmp_path: Path) -> None:
    outcome = await trial(tmp_path, rounds=3, rate=3000, module=HONEST)
    assert outcome["published"] > 3000
    assert (outcome["lost"], outcome["duplicates"], outcome["unrecorded"]) == (0, 0, 0), outcome["examples"]
    assert outcome["exit_code"] == 0


async def test_without_a_fault_every_reading_is_there(tmp_path: Path) -> None:
    outcome = await trial(tmp_path, rounds=0, rate=3000, module=HONEST)
    assert outcome["stored"] == outcome["published"] > 3000
    assert outcome["ok"]


async def test_the_oracle_catches_a_collector_that_acknowledges_too_early(tmp_path: Path) -> None:
    outcome = await trial(tmp_path, rounds=6, rate=3000, module=SABOTAGED)
    assert outcome["lost"] > 0
