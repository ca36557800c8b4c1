"""Utilisation and coverage by hand, and the estimate that fills silence by hour of week."""

import numpy as np
import pytest

from analytics import utilisation
from analytics.history import History
from fleet.calendars import calendar_hours
from fleet.network import Reservation
from fleet.states import FAULT, PRODUCING, SETUP, STANDBY, UNKNOWN
from tests.analytics.machines import NETWORK, bucket, hours, local, machine, member, mornings

MONDAY = local(2026, 6, 8)
HOUR = int(MONDAY.timestamp())


def test_setup_is_use_fault_is_in_the_denominator_unknown_is_in_neither() -> None:
    states = (PRODUCING, SETUP, FAULT, STANDBY, UNKNOWN)
    buckets = [bucket(HOUR + 3600 * index, (0, state)) for index, state in enumerate(states)]
    found = utilisation.use(History.from_buckets(buckets, "Europe/Paris"))
    assert found.share == 0.5
    assert found.coverage == 0.8


def test_one_shift_is_a_small_part_of_the_calendar() -> None:
    history = History.from_buckets(hours(MONDAY, local(2026, 6, 15), mornings), "Europe/Paris")
    calendar = calendar_hours(member(), machine(), NETWORK, history.start, len(history))
    assert utilisation.use(history, calendar.staffed).share == pytest.approx(3 / 16)
    assert utilisation.use(history).share == pytest.approx(15 / 168)


def test_lent_hours_leave_both_sides() -> None:
    history = History.from_buckets(hours(MONDAY, local(2026, 6, 15), mornings), "Europe/Paris")
    lent = machine(reservations=(Reservation(start=local(2026, 6, 9, 6), end=local(2026, 6, 9, 22), lent=True),))
    calendar = calendar_hours(member(lent), lent, NETWORK, history.start, len(history))
    found = utilisation.use(history, calendar.staffed & ~calendar.lent)
    assert (found.used / 3600, found.observed / 3600) == (12, 64)


def test_nothing_observed_is_no_figure() -> None:
    history = History.from_buckets([], "Europe/Paris", HOUR, HOUR + 7200)
    assert utilisation.use(history).share is None
    assert utilisation.use(history).coverage == 0.0
    assert utilisation.use(history.between(0, 0)).coverage is None
    assert np.isnan(utilisation.weekly(history).share).all()


def test_the_hour_that_runs_counts_as_far_as_it_has_passed() -> None:
    history = History.from_buckets([bucket(HOUR, (0, STANDBY))], "Europe/Paris", HOUR, HOUR + 7200)
    assert utilisation.use(history, None, HOUR + 3600.0).coverage == 1.0
    assert utilisation.use(history, None, HOUR + 5400.0).coverage == pytest.approx(2 / 3)


def test_silence_at_weekends_biases_the_plain_share_and_not_the_stratified_one() -> None:
    whole = hours(MONDAY, local(2026, 7, 6), mornings)
    truth = utilisation.use(History.from_buckets(whole, "Europe/Paris")).share
    silent = [one for one in whole if one.hour < HOUR + 14 * 86_400 or (one.hour - HOUR) // 86_400 % 7 < 5]
    history = History.from_buckets(silent, "Europe/Paris", HOUR, HOUR + 28 * 86_400)
    plain, filled = utilisation.weekly(history).share, utilisation.stratified(history).share
    assert plain[3] == pytest.approx(15 / 120)
    assert truth is not None
    np.testing.assert_allclose(filled, truth)
    assert utilisation.stratified(history).coverage[3] == pytest.approx(120 / 168)


def test_grid_tells_shares_and_coverage() -> None:
    week_one = hours(MONDAY, local(2026, 6, 15), mornings)
    history = History.from_buckets(week_one, "Europe/Paris", HOUR, HOUR + 14 * 86_400)
    shares, coverage = utilisation.by_hour_of_week(history)
    assert (shares[6], shares[9], len(shares)) == (1.0, 0.0, 168)
    assert set(coverage) == {0.5}
    assert utilisation.by_hour_of_week(history.between(0, 0))[0] == [None] * 168
