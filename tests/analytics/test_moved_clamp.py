"""A moved clamp shifts every level of power by one factor; use, jobs and failures do not."""

from dataclasses import replace
from datetime import datetime, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics.history import History
from analytics.rules import RuleContext
from analytics.rules.moved_clamp import between, judge
from fleet.network import Calibration, Machine
from fleet.records import Finding, FindingStatus
from fleet.states import PRODUCING, STANDBY
from tests.analytics.machines import NETWORK, Pattern, all_day, hours, local, machine, member, mornings

NOW = local(2026, 5, 11, 7)
START = local(2026, 2, 2)
MOVED = local(2026, 4, 8, 11)
WORKING, IDLE = 9_000.0, 700.0


def finding(
    pattern: Pattern, factor: float = 1.0, working: float = 1.0, previous: Finding | None = None,
    one: Machine | None = None, idle: float = IDLE,
) -> Finding | None:  # fmt: skip
    """From :data:`MOVED` on the meter reads ``factor`` times its power, and work draws ``working`` times as much."""
    one, noise = one or machine(), np.random.default_rng(7)
    buckets = []
    for hour in hours(START, NOW, pattern):
        later = hour.hour >= MOVED.timestamp()
        level = WORKING * (working if later else 1.0) if hour.seconds[PRODUCING] else idle
        power = level * (factor if later else 1.0) * (1 + 0.04 * noise.standard_normal())
        buckets.append(replace(hour, power_max_w=round(power, 1)))
    history = History.from_buckets(buckets, "Europe/Paris", end=int(NOW.timestamp()))
    return judge(RuleContext(member(one), one, NETWORK, history, NOW, feed_alive=True, inferable=True), previous)


@pytest.mark.parametrize("factor", [0.33, 0.5, 0.7, 1.4, 2.0, 3.0])
@pytest.mark.parametrize("pattern", [all_day, mornings])
def test_a_moved_clamp_is_found_with_its_factor_and_week(factor: float, pattern: Pattern) -> None:
    found = finding(pattern, factor)
    assert found is not None
    assert found.status is FindingStatus.FLAGGED
    assert found.evidence["factor"] == pytest.approx(factor, rel=0.06)
    assert found.evidence["changed_in_week"] in ("2026-04-06", "2026-04-13")
    assert found.evidence["levels"] == 2
    assert Finding.model_validate_json(found.model_dump_json()) == found


def test_a_clamp_moved_to_the_old_idling_level_is_told_from_a_stop_by_the_idling_that_moved_with_it() -> None:
    idle = WORKING / 6
    moved = finding(all_day, 1 / 6, idle=idle)
    assert moved is not None
    assert moved.status is FindingStatus.FLAGGED
    assert moved.evidence["factor"] == pytest.approx(1 / 6, rel=0.06)
    stopped = finding(lambda at: all_day(at) if at < MOVED else STANDBY, idle=idle)
    assert stopped is not None
    assert stopped.status is FindingStatus.CLEAR


def test_a_first_week_without_work_is_not_what_later_ones_are_compared_with() -> None:
    def late(at: datetime) -> int:
        return all_day(at) if at >= local(2026, 2, 16) else STANDBY

    found = finding(late, 0.5)
    assert found is not None
    assert (found.status, found.evidence["factor"]) == (FindingStatus.FLAGGED, pytest.approx(0.5, rel=0.06))


def test_without_idling_to_compare_such_a_clamp_cannot_be_told_from_a_stop() -> None:
    hidden = finding(all_day, IDLE / WORKING)  # idling is then below a hundredth of full power: as good as nothing
    assert hidden is not None
    assert hidden.status is not FindingStatus.FLAGGED


def test_more_or_less_work_is_no_moved_clamp() -> None:
    def slack(at: datetime) -> int:
        return all_day(at) if at < MOVED else mornings(at)

    found = finding(slack)
    assert found is not None
    assert found.status is FindingStatus.CLEAR


def test_a_machine_out_of_use_is_no_moved_clamp() -> None:
    found = finding(lambda at: all_day(at) if at < MOVED else 2)
    assert found is not None
    assert found.status is FindingStatus.CLEAR
    assert found.evidence["changed_in_week"] == "2026-04-13"


def test_another_job_draws_another_power_while_standing_by_draws_what_it_did() -> None:
    found = finding(all_day, working=0.6)
    assert found is not None
    assert found.status is FindingStatus.CLEAR


def test_with_one_level_a_moved_clamp_and_another_job_look_the_same() -> None:
    found = finding(all_day, 0.5, idle=0.0)
    assert found is not None
    assert (found.status, found.reason) == (FindingStatus.INSUFFICIENT_EVIDENCE, "modes")


def test_a_small_shift_is_not_sure_and_does_not_take_a_flag_away() -> None:
    small = finding(all_day, 1.19)
    assert small is not None
    assert (small.status, small.reason) == (FindingStatus.INSUFFICIENT_EVIDENCE, "certainty")
    standing = finding(all_day, 1.19, previous=finding(all_day, 2.0))
    assert standing is not None
    assert standing.status is FindingStatus.FLAGGED


def test_a_calibration_since_then_settles_it() -> None:
    for at, status in ((MOVED + timedelta(weeks=2), FindingStatus.CLEAR), (START, FindingStatus.FLAGGED)):
        marked = machine(calibration=Calibration(standby_w=350.0, working_w=4_500.0, at=at))
        found = finding(all_day, 0.5, one=marked)
        assert found is not None
        assert found.status is status


def test_who_reads_no_power_is_not_asked() -> None:
    one = machine()
    history = History.from_buckets(hours(START, NOW, all_day), "Europe/Paris", end=int(NOW.timestamp()))
    assert judge(RuleContext(member(one), one, NETWORK, history, NOW, feed_alive=True, inferable=True), None) is None


@given(
    factor=st.floats(0.2, 5.0),
    share=st.tuples(st.floats(0.15, 0.85), st.floats(0.15, 0.85)),
    seed=st.integers(0, 2**20),
)
def test_the_factor_is_found_however_much_the_machine_works_on_either_side(
    factor: float, share: tuple[float, float], seed: int
) -> None:
    noise = np.random.default_rng(seed)

    def side(working: float, times: float) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
        level = np.where(np.arange(500) < 500 * working, 9_000.0, 600.0)
        return np.log(level * times * (1 + 0.02 * noise.standard_normal(500)))

    found = between(side(share[0], 1.0), side(share[1], factor))
    assert found is not None
    assert np.exp(found.size) == pytest.approx(factor, rel=0.3)
    assert found.explained > 0.9
