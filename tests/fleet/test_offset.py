"""A clock's offset comes from live messages: never from a backlog, an array, a replay."""

import numpy as np
import pytest

from fleet.offset import ahead_ms

HOUR = 3_600_000
LIVE = np.arange(20) * 60_000 + 1_795_000_000_000


def test_an_hour_off_is_learned_from_live_messages() -> None:
    jitter = np.array([0, 700, 200, 900] * 5)
    for off in (HOUR, -HOUR, 0):
        assert ahead_ms(LIVE + off, LIVE + jitter) == pytest.approx(off, abs=1000)


def test_a_backlog_after_an_outage_teaches_nothing() -> None:
    sent = np.concatenate([LIVE, LIVE[-1] + np.arange(1, 500) * 60_000])
    flushed = np.full(499, sent[-1] + 5_000) + np.arange(499) * 3
    assert ahead_ms(sent, np.concatenate([LIVE + 300, flushed])) == -300
    assert ahead_ms(sent[20:], flushed) is None


def test_arrays_histories_and_too_little_teach_nothing() -> None:
    assert ahead_ms(LIVE, np.full(20, LIVE[-1])) is None
    assert ahead_ms(LIVE - 100 * 24 * HOUR, LIVE) is None  # a replay at the speed of life
    assert ahead_ms(LIVE[:2], LIVE[:2]) is None
    assert ahead_ms(LIVE[:0], LIVE[:0]) is None


def test_it_comes_from_the_newest_and_in_any_order() -> None:
    set_right = np.where(np.arange(200) < 100, HOUR, 0)
    arrived = np.arange(200) * 60_000 + 1_795_000_000_000
    shuffled = np.random.default_rng(1).permutation(200)
    assert ahead_ms((arrived + set_right)[shuffled], arrived[shuffled]) == 0
