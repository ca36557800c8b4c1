"""The rules of energy on a small simulated network of which some machines waste: few wrong flags, few missed."""

import pytest

from analytics.rules import idle_but_drawing, never_off_at_night
from fleet.records import FindingStatus
from simulators.waste import Waste
from tests.bench.energy_rules import Judged, judged, score

MACHINES, WEEKS, SEED = 90, 8, 5


@pytest.fixture(scope="module")
def found() -> list[Judged]:
    return list(judged(MACHINES, WEEKS, SEED))


@pytest.mark.parametrize("rule", [idle_but_drawing.NAME, never_off_at_night.NAME])
def test_few_flags_are_wrong_and_most_true_ones_are_found(found: list[Judged], rule: str) -> None:
    row = score(found, rule)
    assert row["true"] > 3
    assert row["flagged"] > 3
    assert row["precision"] >= 0.9
    assert row["without contested"]["recall"] >= 0.9


def test_machines_left_on_are_flagged_and_never_called_clear(found: list[Judged]) -> None:
    left_on = [one.said[never_off_at_night.NAME] for one in found if one.waste is Waste.LEFT_ON]
    statuses = [one.status for one in left_on if one is not None]
    assert FindingStatus.FLAGGED in statuses
    assert FindingStatus.CLEAR not in statuses
