"""Energy while idle, and the figures of ISO 22400-2, by hand."""

from dataclasses import replace

import numpy as np
import pytest

from analytics import energy, iso22400
from analytics.history import History
from fleet.records import HourBucket
from fleet.states import FAULT, MAINTENANCE, OFF, PRODUCING, SETUP, STANDBY, UNKNOWN
from fleet.tariffs import Tariff
from tests.analytics.machines import bucket, hours, local, metered, mornings

WATTS = {PRODUCING: 20_000.0, SETUP: 6_000.0, STANDBY: 3_000.0, OFF: 20.0, FAULT: 1_000.0, UNKNOWN: 0.0}
TARIFF = Tariff(0.2, "member", 50.0, "network", "somebody")
NOTHING = Tariff(None, "none", None, "none", "")
START = local(2026, 4, 6)
HOUR = int(START.timestamp())


def history(buckets: list[HourBucket]) -> History:
    return History.from_buckets(buckets, "Europe/Paris")


def day(*states: int) -> list[HourBucket]:
    return metered([bucket(HOUR + 3600 * index, (0, state)) for index, state in enumerate(states)], WATTS)


def test_idle_energy_is_standby_alone_with_its_costs() -> None:
    past = history(day(PRODUCING, SETUP, STANDBY, STANDBY, OFF, FAULT))
    used = energy.use(past, HOUR, HOUR + 6 * 3600, TARIFF)
    assert used is not None
    assert (used.idle_kwh, used.setup_kwh, used.off_kwh) == pytest.approx((6.0, 6.0, 0.02))
    assert used.total_kwh == pytest.approx(20 + 6 + 6 + 0.02 + 1)
    assert (used.idle_eur, used.idle_kg_co2e) == pytest.approx((1.2, 0.3))
    assert (used.measured, used.off_told) == (1.0, True)
    free = energy.use(past, HOUR, HOUR + 6 * 3600, NOTHING)
    assert free is not None
    assert (free.idle_kwh, free.idle_eur, free.idle_kg_co2e) == (used.idle_kwh, None, None)


def test_what_was_not_measured_is_not_guessed() -> None:
    silent = day(STANDBY, UNKNOWN, UNKNOWN, STANDBY)
    unmetered = [replace(silent[0], energy_wh=None, energy_by_state=None, metered_s=0.0), *silent[1:]]
    used = energy.use(history(unmetered), HOUR, HOUR + 4 * 3600, TARIFF)
    assert used is not None
    assert (used.idle_kwh, used.measured) == (3.0, 0.25)
    bare = [replace(one, energy_wh=None, energy_by_state=None, metered_s=0.0) for one in silent]
    assert energy.use(history(bare), HOUR, HOUR + 4 * 3600, TARIFF) is None
    assert energy.use(history([]), HOUR, HOUR + 3600, TARIFF) is None


def test_power_alone_includes_what_is_drawn_while_off() -> None:
    powered = [replace(one, basis="power") for one in day(PRODUCING, STANDBY)]
    used = energy.use(history(powered), HOUR, HOUR + 7200, TARIFF)
    assert used is not None
    assert not used.off_told
    marked = energy.use(history([*powered, *[replace(one, basis="power", hour=HOUR + 7200) for one in day(OFF)]]),
                        HOUR, HOUR + 10_800, TARIFF)  # fmt: skip
    assert marked is not None
    assert marked.off_told


@pytest.mark.parametrize("weeks", [1, 3, 9])
def test_the_newest_four_weeks_or_since_it_was_first_heard(weeks: int) -> None:
    """Also over the night in which the clocks go forward."""
    end = local(2026, 4, 13, 10)
    begin = local(2026, 4, 13 - 7) if weeks == 1 else local(2026, 3, 23) if weeks == 3 else local(2026, 2, 9)
    past = history(metered(hours(begin, end, mornings), WATTS))
    used = energy.newest_weeks(past, end.timestamp() + 600, TARIFF)
    assert used is not None
    assert used.until == end
    assert (used.until - used.since).total_seconds() == min(28 * 86_400, end.timestamp() - begin.timestamp())
    assert used.measured == 1.0
    assert used.idle_kwh == pytest.approx(3.0 * float((past.between(int(used.since.timestamp()),
                                          int(end.timestamp())).seconds[:, STANDBY] / 3600).sum()))  # fmt: skip


def test_a_gap_at_the_beginning_of_an_old_machine_is_no_youth() -> None:
    end = local(2026, 4, 13)
    heard = [*hours(local(2026, 2, 9), local(2026, 2, 16), mornings), *hours(local(2026, 4, 6), end, mornings)]
    used = energy.newest_weeks(history(metered(heard, WATTS)), end.timestamp(), TARIFF)
    assert used is not None
    assert used.measured == pytest.approx(0.25)


def test_figures_by_their_names_in_the_standard() -> None:
    past = history(day(PRODUCING, PRODUCING, SETUP, STANDBY, FAULT, MAINTENANCE, UNKNOWN, PRODUCING))
    planned = np.array([True] * 7 + [False])
    found = iso22400.figures(past, planned)
    assert (found["pbt_h"], found["aubt_h"], found["apt_h"]) == (6.0, 4.0, 2.0)
    assert found["allocation_efficiency"] == pytest.approx(4 / 6)
    assert found["utilization_efficiency"] == pytest.approx(2 / 4)
    assert found["availability"] == pytest.approx(2 / 6)
    assert found["coverage"] == pytest.approx(6 / 7)
    assert (found["oee"], found["teep"]) == (None, None)


def test_what_a_feed_cannot_tell_is_none() -> None:
    planned = np.ones(3, dtype=np.bool_)
    without_setup = iso22400.figures(history(day(PRODUCING, STANDBY, FAULT)), planned)
    assert (without_setup["apt_h"], without_setup["aubt_h"]) == (1.0, None)
    powered = [replace(one, basis="power") for one in day(PRODUCING, STANDBY, STANDBY)]
    found = iso22400.figures(history(powered), planned)
    assert (found["pbt_h"], found["apt_h"], found["availability"], found["utilization_efficiency"]) == (
        3,
        None,
        None,
        None,
    )
    assert set(iso22400.figures(history(powered), None).values()) == {None}
    assert iso22400.figures(history(powered), None).keys() == found.keys()


def test_a_machine_busy_one_hour_a_week_has_full_utilization_efficiency() -> None:
    """Which is why it is the wrong measure of under-use."""
    busy = [PRODUCING] + [STANDBY] * 38
    past = history(day(SETUP, *busy))
    found = iso22400.figures(past, np.append(False, np.ones(39, dtype=np.bool_)))
    assert found["utilization_efficiency"] == 1.0
    assert found["allocation_efficiency"] == pytest.approx(1 / 39)
