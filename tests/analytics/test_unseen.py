"""How much of the use may be set-up that nothing tells: the upper end of a utilisation known by power."""

from dataclasses import replace
from datetime import datetime
from typing import Any

import numpy as np
import pytest

from analytics import unseen, utilisation
from analytics.history import History
from analytics.outlook import build
from fleet.records import HourBucket
from fleet.states import PRODUCING, SETUP, STANDBY, UNKNOWN
from tests.analytics.machines import NETWORK, Pattern, hours, local, machine, member, metered

START, NOW = local(2026, 3, 2), local(2026, 4, 13)
REST_W, SETUP_W, WORK_W = 800.0, 1_500.0, 9_000.0


def truth(at: datetime) -> int:
    """Weekdays: set up from 6 to 8, at work to 12, then idle."""
    if at.weekday() >= 5 or not 6 <= at.hour < 12:
        return STANDBY
    return SETUP if at.hour < 8 else PRODUCING


def by_power(pattern: Pattern = truth, setup_w: float = SETUP_W) -> list[HourBucket]:
    """The hours as power tells them: set-up is standing by, at the power of set-up."""
    watts = {STANDBY: REST_W, SETUP: setup_w, PRODUCING: WORK_W}
    found = []
    for was in metered(hours(START, NOW, pattern), watts):
        seconds, used = list(was.seconds), list(was.energy_by_state or ())
        for column in (seconds, used):
            column[STANDBY] += column[SETUP]
            column[SETUP] = 0.0
        runs = tuple((offset, STANDBY if state == SETUP else state) for offset, state in was.segments)
        found.append(replace(was, seconds=seven(seconds), energy_by_state=seven(used), segments=runs, basis="power"))
    return found


def seven(values: list[float]) -> Any:
    """A column of states as buckets have it."""
    return tuple(values)


def both_ends(buckets: list[HourBucket]) -> Any:
    told = build(member(), machine(), NETWORK, buckets, None, NOW)
    return told.utilisation, told.utilisation_most


def test_the_truth_lies_between_both_ends() -> None:
    least, most = both_ends(by_power())
    assert (least, most) == (pytest.approx(4 / 16), pytest.approx(6 / 16))


def test_set_up_that_draws_no_more_than_rest_stays_unseen() -> None:
    least, most = both_ends(by_power(setup_w=REST_W))
    assert least == most == pytest.approx(4 / 16)


def test_noise_of_rest_is_no_set_up() -> None:
    rng = np.random.default_rng(3)
    noisy = []
    for bucket in by_power(lambda at: STANDBY if truth(at) == SETUP else truth(at)):
        used = [wh * rng.normal(1.0, 0.02) for wh in bucket.energy_by_state or ()]
        noisy.append(replace(bucket, energy_by_state=seven(used)))
    least, most = both_ends(noisy)
    assert least is not None
    assert most == pytest.approx(least, abs=0.01)


def test_a_machine_that_is_never_at_rest_may_be_set_up_all_the_time() -> None:
    least, most = both_ends(by_power(lambda at: PRODUCING if at.hour % 2 and at.weekday() < 5 else UNKNOWN))
    assert least == most == pytest.approx(1.0)
    busy = by_power(lambda at: PRODUCING if at.hour % 2 else SETUP)
    some = [bucket for bucket in busy if local(2026, 3, 2).timestamp() <= bucket.hour < local(2026, 3, 3).timestamp()]
    least, most = both_ends(some)
    assert (least, most) == (pytest.approx(0.5), pytest.approx(1.0))


def test_a_machine_that_tells_its_set_up_has_one_figure() -> None:
    watts = {STANDBY: REST_W, SETUP: SETUP_W, PRODUCING: WORK_W}
    assert both_ends(metered(hours(START, NOW, truth), watts)) == (pytest.approx(6 / 16), None)


def test_one_that_publishes_states_but_no_set_up_has_two() -> None:
    named = [replace(bucket, basis="state") for bucket in by_power()]
    assert both_ends(named) == (pytest.approx(4 / 16), pytest.approx(6 / 16))


def test_without_power_or_staffed_hours_there_is_no_upper_end() -> None:
    counted = [
        replace(bucket, basis="counter", energy_wh=None, energy_by_state=None, metered_s=0.0) for bucket in by_power()
    ]
    assert both_ends(counted) == (pytest.approx(4 / 16), None)
    history = History.from_buckets(by_power(), "Europe/Paris")
    assert unseen.most(history, np.zeros(len(history), np.bool_)) is None


def test_hours_whose_power_was_not_known_may_all_be_set_up() -> None:
    unmetered = [
        replace(bucket, metered_s=0.0, energy_by_state=(0.0,) * 7) if bucket.hour % 7 == 0 else bucket
        for bucket in by_power()
    ]
    history = History.from_buckets(unmetered, "Europe/Paris")
    mask = np.ones(len(history), np.bool_)
    use, most, watts = utilisation.use(history, mask).share, unseen.most(history, mask), unseen.idle_watts(history)
    assert use is not None
    assert most is not None
    assert watts is not None
    idle = np.isnan(watts) & (history.seconds[:, STANDBY] > 0)
    assert idle.any()
    assert most >= use + idle.sum() / len(history)
