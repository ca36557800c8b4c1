"""Shareable hours by hand: minimum, changeover, hold, reservations, silence, weeks."""

import numpy as np
import pytest

from analytics.capacity import AtLeast, Job, at_least, free_spans, long_block_share, quantile_interval, usable, weekly
from analytics.history import History
from fleet.records import HourBucket
from fleet.states import FAULT, PRODUCING, STANDBY, UNKNOWN
from tests.analytics.machines import bucket, hours, local, mornings

MONDAY = local(2026, 6, 8)
HOUR = int(MONDAY.timestamp())


def history(*buckets: HourBucket) -> History:
    return History.from_buckets(list(buckets), "Europe/Paris")


def lengths(spans: np.ndarray) -> list[float]:
    return [(end - start) / 3600 for start, end in spans.tolist()]


def day(*states: int) -> History:
    return history(*(bucket(HOUR + 3600 * index, (0, state)) for index, state in enumerate(states)))


def test_a_gap_is_exact_to_the_second_at_both_ends() -> None:
    found = free_spans(
        history(
            bucket(HOUR, (0, PRODUCING), (1800, STANDBY)),
            bucket(HOUR + 3600, (0, STANDBY)),
            bucket(HOUR + 7200, (0, STANDBY), (900, PRODUCING), (1000, STANDBY), (1100, FAULT)),
        )
    )
    assert found.tolist() == [[HOUR + 1800, HOUR + 7200 + 900]]


def test_silence_and_faults_break_a_gap() -> None:
    parts = day(STANDBY, STANDBY, UNKNOWN, STANDBY, FAULT, STANDBY)
    assert lengths(free_spans(parts)) == [2.0, 1.0, 1.0]


def test_hold_follows_busy_time_only() -> None:
    parts = day(STANDBY, STANDBY, PRODUCING, STANDBY, STANDBY, STANDBY, UNKNOWN, STANDBY)
    assert lengths(free_spans(parts, hold_hours=1.5)) == [2.0, 1.5, 1.0]
    assert lengths(free_spans(day(PRODUCING, STANDBY), hold_hours=2.0)) == []


def test_a_job_needs_minimum_and_changeover() -> None:
    parts = day(*[STANDBY] * 5, PRODUCING, *[STANDBY] * 4)
    everywhere, nowhere = np.ones(10, dtype=np.bool_), np.zeros(10, dtype=np.bool_)
    assert lengths(usable(parts, everywhere, nowhere, Job(4.0, 1.0))) == [5.0]
    assert lengths(usable(parts, everywhere, nowhere, Job(3.0, 1.0))) == [5.0, 4.0]
    assert weekly(parts, everywhere, nowhere, Job(3.0, 1.0))[1].tolist() == [7.0]
    reserved = np.arange(10) == 2
    assert weekly(parts, everywhere, reserved, Job(3.0, 1.0))[1].tolist() == [3.0]
    assert weekly(parts, nowhere, nowhere, Job(3.0, 1.0))[1].tolist() == [0.0]


def test_a_gap_over_the_weeks_end_counts_in_both() -> None:
    weekend = History.from_buckets(
        hours(local(2026, 6, 14, 18), local(2026, 6, 15, 12), lambda _: STANDBY), "Europe/Paris"
    )
    everywhere, nowhere = np.ones(18, dtype=np.bool_), np.zeros(18, dtype=np.bool_)
    weeks, shared = weekly(weekend, everywhere, nowhere, Job(4.0, 1.0))
    assert len(weeks) == 2
    assert shared == pytest.approx([17 / 3, 17 * 2 / 3])


def test_at_least_is_a_week_that_was() -> None:
    assert at_least(np.array([])) is None
    assert at_least(np.array([5.0, 3.0, 8.0])) == AtLeast(3.0, 3, 3)
    twenty = np.arange(20.0)
    assert at_least(twenty) == AtLeast(1.0, 19, 20)


def test_interval_of_the_quantile() -> None:
    assert quantile_interval(np.array([])) is None
    assert quantile_interval(np.arange(12.0)) == [0.0, 4.0]  # P(Binomial(12, .1) <= 4) is the first above .975
    assert quantile_interval(np.array([7.0])) == [7.0, 7.0]


def test_free_time_of_mornings_lies_in_long_blocks() -> None:
    week = History.from_buckets(hours(MONDAY, local(2026, 6, 15), mornings), "Europe/Paris")
    assert long_block_share(week) == pytest.approx(1.0 - 6 / 153)  # but Monday's first six hours
    assert long_block_share(day(PRODUCING)) is None
