"""Powers that cannot be what they say, by what the owner told, else by the trade."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet.network import Trade
from fleet.plausible import MARKS, PowerDoubt, contradictions, doubt


@pytest.mark.parametrize(
    ("trade", "own_w", "highest_w", "found"),
    [
        (Trade.PAINT, 45_000, 30_000, None),
        (Trade.PAINT, 45_000, 30, PowerDoubt("kilowatts", True, 30, 45_000)),
        (Trade.PAINT, 45_000, 30_000_000, PowerDoubt("impossible", True, 30_000_000, 45_000)),
        (Trade.PAINT, None, 30, PowerDoubt("kilowatts", False, 30, 18_000)),
        (Trade.PAINT, None, 300, None),
        (Trade.PAINT, None, 3_000_000, PowerDoubt("impossible", False, 3_000_000, 18_000)),
        (Trade.OTHER, None, 30, None),
        (Trade.OTHER, None, 3_000_000, PowerDoubt("impossible", False, 3_000_000, 10_000)),
        (Trade.PAINT, 45_000, None, None),
        (Trade.PAINT, 45_000, 0, None),
    ],
)
def test_a_power_is_doubted_by_what_is_known(
    trade: Trade, own_w: float | None, highest_w: float | None, found: PowerDoubt | None
) -> None:
    assert doubt(trade, own_w, highest_w) == found


def test_marks_contradict_where_the_higher_state_has_not_the_higher_power() -> None:
    assert contradictions({}) == []
    assert contradictions({"off_w": 4.0, "standby_w": 310.0, "working_w": 4200.0}) == []
    assert contradictions({"off_w": 40.0, "working_w": 12.0}) == [("off_w", "working_w")]
    assert contradictions({"off_w": 40.0, "standby_w": 40.0}) == [("off_w", "standby_w")]
    crossed = {"off_w": 50.0, "standby_w": 20.0, "working_w": 60.0}
    assert contradictions(crossed) == [("off_w", "standby_w")]
    assert contradictions(crossed, "working_w") == []


@given(st.permutations([1.0, 2.0, 3.0]), st.sets(st.sampled_from(MARKS)))
def test_marks_agree_exactly_when_they_are_in_order(watts: list[float], known: set[str]) -> None:
    marks = {name: value if name in known else None for name, value in zip(MARKS, watts, strict=True)}
    told = [value for value in marks.values() if value is not None]
    assert (contradictions(marks) == []) == (told == sorted(told))
