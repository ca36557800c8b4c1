"""Who is loud, and what becomes of the rows of a batch."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet.batch import MachineKey, ReadingBatch, empty_rows
from ingest.shares import FLOOR, ROWS, TIMES, Shares, flooding

MEMBERS = ("ash", "beech", "cedar", "dogwood")


def batch(*members: str) -> ReadingBatch:
    """One reading of each, in order; the power is the position, odd rows carry a metric."""
    keys = tuple(MachineKey(member, "saw") for member in sorted(set(members)))
    rows = empty_rows(len(members))
    rows["machine"] = [keys.index(MachineKey(member, "saw")) for member in members]
    rows["power_w"] = np.arange(len(members))
    return ReadingBatch(keys, rows, {row: str(row) for row in range(1, len(members), 2)})


def steady(shares: Shares, seconds: float, rates: dict[str, int], began: float = 0.0) -> float:
    """Ten batches a second; when they end."""
    for step in range(int(seconds * 10)):
        some = batch(*[member for member, rate in rates.items() for _ in range(rate // 10)])
        shares.split(some, began + step / 10, ())
    return began + seconds


def test_twenty_times_the_share_is_loud_and_ten_times_within_the_floor_is_not() -> None:
    shares = Shares()
    steady(shares, 3, {"ash": 1000, "beech": 50, "cedar": 50})
    assert shares.loud == {"ash"}
    few = Shares()
    steady(few, 3, {"ash": int(FLOOR) - 20, "beech": 1, "cedar": 1})
    assert few.loud == set()


def test_equal_shares_are_never_loud_however_much_they_are() -> None:
    shares = Shares()
    steady(shares, 2, dict.fromkeys(MEMBERS, 3000))
    assert shares.loud == set()


def test_a_flood_of_whatever_kind_is_named_by_its_rate() -> None:
    assert flooding({"ash": 1000.0, "beech": 50.0, "cedar": 40.0}) == {"ash"}
    assert flooding({"ash": FLOOR - 1, "beech": 0.1}) == set()
    assert flooding({"ash": 5000.0}) == flooding({}) == set()


def test_who_is_alone_delays_nobody() -> None:
    shares = Shares()
    steady(shares, 2, {"ash": 3000})
    assert shares.loud == set()


def test_loud_until_it_is_calm_and_nothing_of_it_waits_apart() -> None:
    shares = Shares()
    now = steady(shares, 3, {"ash": 1000, "beech": 50, "cedar": 50})
    now = steady(shares, 10, {"ash": 50, "beech": 50, "cedar": 50}, now)
    shares.split(batch("ash"), now, {"ash"})
    assert shares.loud == {"ash"}
    others, apart = shares.split(batch("ash"), now, ())
    assert (shares.loud, apart) == (set(), [])
    assert others is not None


def test_one_that_went_down_a_little_stays_loud() -> None:
    shares = Shares()
    now = steady(shares, 3, {"ash": 1000, "beech": 50, "cedar": 50})
    steady(shares, 5, {"ash": int(0.7 * TIMES * 50), "beech": 50, "cedar": 50}, now)
    assert shares.loud == {"ash"}


@given(st.lists(st.sampled_from(MEMBERS), min_size=1, max_size=600), st.sets(st.sampled_from(MEMBERS)))
def test_every_row_is_in_one_part_in_order_with_its_machine_and_metrics(members: list[str], waiting: set[str]) -> None:
    whole = batch(*members)
    others, apart = Shares().split(whole, 1.0, waiting)
    seen: dict[int, str] = {}
    for lane, part in [*([("", others)] if others else []), *apart]:
        assert 0 < len(part) <= (ROWS if lane else len(members))
        for row, power in enumerate(part.rows["power_w"].astype(int).tolist()):
            member = part.machines[int(part.rows["machine"][row])].member
            assert member == members[power]
            assert (lane == member) if member in waiting else (lane == "")
            assert part.metrics.get(row) == whole.metrics.get(power)
            assert power not in seen
            seen[power] = lane
    assert len(seen) == len(members)
    for lane in waiting:
        powers = [int(power) for name, part in apart if name == lane for power in part.rows["power_w"]]
        assert powers == sorted(powers)


@pytest.mark.parametrize("members", [("ash",), ("ash", "beech")])
def test_without_loud_ones_the_batch_is_the_same(members: tuple[str, ...]) -> None:
    whole = batch(*members)
    assert Shares().split(whole, 1.0) == (whole, [])
