"""Hours as columns: weeks in which the clocks change, hours nobody derived, free time at the ends of an hour."""

from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest

from analytics.history import History, local_hours, monday, week_of, week_start
from fleet.states import FAULT, OFF, PRODUCING, STANDBY, UNKNOWN
from tests.analytics.machines import bucket, hours, local, mornings

HOUR = int(datetime(2026, 3, 2, 10, tzinfo=UTC).timestamp())


@pytest.mark.parametrize(
    ("first", "after", "count"),
    [
        (local(2026, 3, 23), local(2026, 3, 30), 167),
        (local(2026, 10, 19), local(2026, 10, 26), 169),
        (local(2026, 6, 1), local(2026, 6, 8), 168),
    ],
)
def test_a_local_week_has_the_hours_it_has(first: datetime, after: datetime, count: int) -> None:
    start = int(first.timestamp())
    clock = local_hours(start, (int(after.timestamp()) - start) // 3600 + 1, "Europe/Paris")
    assert np.bincount(clock.week - clock.week[0]).tolist() == [count, 1]
    assert clock.hour_of_week[0] == 0
    assert clock.hour_of_week[-1] == 0
    sunday_two = int((clock.hour_of_week == 6 * 24 + 2).sum())
    assert sunday_two == {167: 0, 168: 1, 169: 2}[count]
    assert monday(int(clock.week[0])) == first.date()
    assert week_start(int(clock.week[0]), "Europe/Paris") == start
    assert week_of(after, "Europe/Paris") == int(clock.week[-1])


def test_hours_nobody_derived_are_unknown() -> None:
    history = History.from_buckets([bucket(HOUR, (0, PRODUCING)), bucket(HOUR + 7200, (0, STANDBY))], "Europe/Paris")
    assert len(history) == 3
    assert history.seconds.sum(axis=1).tolist() == [3600.0] * 3
    assert history.observed.tolist() == [3600.0, 0.0, 3600.0]
    assert history.seconds[1, UNKNOWN] == 3600.0
    assert history.used.tolist() == [3600.0, 0.0, 0.0]


def test_the_part_of_an_hour_still_to_come_is_unknown() -> None:
    partial = bucket(HOUR, (0, STANDBY))
    running = replace(partial, seconds=(0.0, 0.0, 900.0, 0.0, 0.0, 0.0, 0.0))
    history = History.from_buckets([running], "UTC")
    assert history.observed.tolist() == [900.0]
    assert history.head.tolist() == [900.0]
    assert history.tail.tolist() == [0.0]


def test_free_seconds_at_both_ends() -> None:
    runs = [
        ((0, STANDBY), (600, PRODUCING), (1200, OFF), (3000, FAULT), (3300, STANDBY)),
        ((0, STANDBY), (1800, OFF)),
        ((0, UNKNOWN), (1200, STANDBY)),
        ((0, STANDBY), (3000, PRODUCING)),
    ]
    history = History.from_buckets([bucket(HOUR + 3600 * i, *run) for i, run in enumerate(runs)], "UTC")
    assert history.head.tolist() == [600, 3600, 0, 3000]
    assert history.tail.tolist() == [300, 3600, 2400, 0]
    assert history.busy_last.tolist() == [True, False, False, True]


def test_present_state_is_followed_back_over_unbroken_hours() -> None:
    found = [bucket(HOUR, (0, PRODUCING), (1200, STANDBY)), bucket(HOUR + 3600, (0, STANDBY))]
    assert History.from_buckets(found, "UTC").last_since == HOUR + 1200
    apart = [found[0], bucket(HOUR + 7200, (0, STANDBY))]
    history = History.from_buckets(apart[::-1], "UTC")
    assert (history.last_state, history.last_since) == (STANDBY, HOUR + 7200)
    assert History.from_buckets([], "UTC", HOUR, HOUR + 7200).last_state is None


def test_between_keeps_the_hours_that_begin_inside() -> None:
    history = History.from_buckets(hours(local(2026, 3, 2), local(2026, 3, 9), mornings), "Europe/Paris")
    cut = history.between(history.start + 1, history.start + 7201)
    assert (cut.start, len(cut)) == (history.start + 3600, 2)
    assert cut.clock.hour_of_week.tolist() == [1, 2]
    assert len(history.between(0, 1)) == 0
    assert len(history.between(history.end, history.end + 3600)) == 0
    assert len(history.between(0, 2**40)) == 168


def test_two_machines_or_one_hour_twice_are_refused() -> None:
    with pytest.raises(ValueError, match="more than one machine"):
        History.from_buckets([bucket(HOUR, (0, OFF)), bucket(HOUR, (0, OFF), machine="saw")], "UTC")
    with pytest.raises(ValueError, match="twice"):
        History.from_buckets([bucket(HOUR, (0, OFF)), bucket(HOUR, (0, OFF))], "UTC")
