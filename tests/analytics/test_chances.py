"""Chances of one machine: its own weeks, its owner's other machines, its trade."""

from collections.abc import Callable
from datetime import datetime, timedelta
from itertools import pairwise

import numpy as np
import pytest

from analytics import trade
from analytics.availability import Floats, expit, logit
from analytics.chances import FleetProfile, Kin, history_cells
from analytics.history import History, week_of
from fleet.states import PRODUCING, STANDBY
from fleet.trades import Family
from tests.analytics.machines import all_day, hours, local, mornings

NOW = local(2026, 8, 24)
WEEK = week_of(NOW, "Europe/Paris")
DAYS = np.arange(168) % 24
TWO_SHIFTS = (np.arange(168) < 120) & (DAYS >= 6) & (DAYS < 22)


def history(weeks: float, pattern: Callable[[datetime], int] = mornings) -> History:
    """The weeks before :data:`NOW`."""
    return History.from_buckets(hours(NOW - timedelta(weeks=weeks), NOW, pattern), "Europe/Paris")


def kin(weeks: float, pattern: Callable[[datetime], int] = mornings, name: str = "mill") -> Kin:
    return Kin(name, history(weeks, pattern), None, Family.CUTTING, TWO_SHIFTS)


def test_weights_of_a_history_halve_in_six_weeks() -> None:
    past = History.from_buckets(hours(local(2026, 6, 1), local(2026, 6, 8), mornings), "Europe/Paris")
    week = week_of(local(2026, 6, 1), "Europe/Paris")
    assert history_cells(past, 1, week).known[0, 0] == 1.0
    assert history_cells(past, 1, week + 12).known[0, 0] == 0.25


def test_chances_follow_the_week_of_the_machine() -> None:
    mine = Kin("mill", history(12))
    chances = FleetProfile([mine]).told(mine, 4, WEEK).free
    assert chances[24 + 12] > 0.95  # Tuesday noon
    assert chances[24 + 6] < 0.3
    assert chances[24 + 3] < 0.3  # reaches into the morning
    assert (chances[5 * 24 :] > 0.9)[: 24 * 2 - 4].all()


def test_closed_days_teach_nothing() -> None:
    quiet = History.from_buckets(hours(local(2026, 6, 1), local(2026, 6, 8), lambda _: STANDBY), "Europe/Paris")
    closed = quiet.clock.hour_of_week < 24
    cells = history_cells(quiet, 4, int(quiet.clock.week[0]), closed)
    assert cells.known[0, :24].sum() == 0.0
    assert cells.known[0, 24:164].tolist() == [1.0] * 140


def test_a_closed_week_of_one_machine_teaches_the_others_nothing() -> None:
    shut = history(12)
    closed = np.zeros(len(shut), np.bool_)
    closed[-168 * 3 :] = True
    idle = history(12, lambda at: STANDBY if at >= NOW - timedelta(weeks=3) else mornings(at))
    known, ignored = (FleetProfile([Kin("a", idle, mask)]).shape(4, WEEK) for mask in (None, closed))
    told = FleetProfile([Kin("a", idle.between(idle.start, idle.end - 3 * 168 * 3600))]).shape(4, WEEK)
    assert abs(ignored - told).max() < 0.2 < abs(known - told).max()


def test_windows_longer_than_the_history_are_none() -> None:
    short = History.from_buckets(hours(local(2026, 6, 1), local(2026, 6, 1, 3), lambda _: PRODUCING), "Europe/Paris")
    assert history_cells(short, 8, int(short.clock.week[0])).known.sum() == 0.0


def test_a_profile_of_nobody_is_flat_and_a_machine_never_seen_is_its_trade() -> None:
    assert not FleetProfile().shape(8, WEEK).any()
    told = FleetProfile().told(kin(0), 5, WEEK)
    assert (told.trade_share, told.siblings) == (1.0, 0)
    assumed = trade.base_of(Family.CUTTING, TWO_SHIFTS, 5)
    np.testing.assert_allclose(told.free, expit(assumed / np.sqrt(1.0 + np.pi / 8.0 * 2.0**2)), rtol=1e-12)
    no_shifts = kin(0)._replace(staffed=None)
    unsure = FleetProfile().told(no_shifts, 5, WEEK).free
    plain = trade.base_of(Family.CUTTING, None, 5)
    np.testing.assert_allclose(unsure, expit(plain / np.sqrt(1.0 + np.pi / 8.0 * 4.0**2)), rtol=1e-12)
    nowhere = FleetProfile().told(Kin("x", history(0)), 5, WEEK)
    assert nowhere.trade_share == 0.0
    np.testing.assert_allclose(nowhere.free, 0.5)


@pytest.mark.parametrize("pattern", [mornings, all_day])
def test_own_weeks_take_the_place_of_the_trade(pattern: Callable[[datetime], int]) -> None:
    truth = FleetProfile().told(kin(12, pattern), 4, WEEK).free
    far, shares = [], []
    for weeks in (0, 1, 2, 4, 8):
        told = FleetProfile().told(kin(weeks, pattern), 4, WEEK)
        far.append(float(abs(told.free - truth).mean()))
        shares.append(told.trade_share)
    assert far == sorted(far, reverse=True)
    assert far[3] < far[0] / 3
    assert shares == sorted(shares, reverse=True)
    assert shares[0] == 1.0
    assert shares[2] < 0.5


@pytest.mark.parametrize("weeks", [1, 3, 8])
def test_the_share_told_of_the_trade_is_about_what_the_trade_changes(
    weeks: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """How far the log odds follow when other mornings are assumed: no further than told, give or take a tenth."""
    mine = kin(weeks, lambda at: PRODUCING if at.weekday() < 5 and hash_of(at) < 0.3 else STANDBY)
    plain = FleetProfile([mine]).told(mine, 4, WEEK)
    assumed = trade.base_of(Family.CUTTING, TWO_SHIFTS, 4)
    other = assumed + np.where(DAYS < 12, 0.2, -0.2)
    monkeypatch.setattr(trade, "base_of", lambda *_: other)
    moved = FleetProfile([mine]).told(mine, 4, WEEK)
    followed = float(abs(logit(moved.free) - logit(plain.free)).mean() / 0.2)
    assert 0.0 < followed < plain.trade_share + 0.1


def hash_of(at: datetime) -> float:
    """A number of 0..1 that an hour always has, and that looks drawn."""
    return float(np.random.default_rng(int(at.timestamp()) // 3600).random())


def test_the_owners_other_machines_of_the_family_tell_of_the_level() -> None:
    busy, idle = kin(8, all_day, "old"), kin(8, lambda _: STANDBY, "old")
    new = kin(0, name="new")
    full, empty = (FleetProfile([old, new]).told(new, 4, WEEK) for old in (busy, idle))
    assert (full.siblings, empty.siblings) == (1, 1)
    assert full.free.mean() < empty.free.mean() - 0.2
    other = FleetProfile([idle._replace(family=Family.SURFACE), new]).told(new, 4, WEEK)
    assert other.siblings == 0
    assert other.free.mean() < empty.free.mean()  # the shape of the week alone


def test_its_own_past_is_no_sibling() -> None:
    mine = kin(8)
    assert FleetProfile([mine]).told(mine, 4, WEEK).siblings == 0


class TestTrade:
    """What is assumed, by hand."""

    @pytest.mark.parametrize("family", Family)
    @pytest.mark.parametrize("staffed", [None, TWO_SHIFTS])
    def test_longer_windows_are_never_freer(self, family: Family, staffed: trade.Mask | None) -> None:
        weeks = [trade.week_of_trade(family, staffed, hours) for hours in (1, 4, 8, 24, 168)]
        for shorter, longer in pairwise(weeks):
            assert (longer <= shorter + 1e-12).all()
        assert all(((week > 0.0) & (week < 1.0)).all() for week in weeks)

    def test_one_hour_of_a_staffed_and_of_an_unstaffed_half_day(self) -> None:
        week = trade.week_of_trade(Family.SURFACE, TWO_SHIFTS, 1)
        little, full = trade.ASSUMED[Family.SURFACE][:2]
        worked = little * 0.15 + (1 - little - full) * 0.71 + full * 0.97
        assert week[10] == pytest.approx(1 - worked)
        assert week[2] == pytest.approx(0.97)
        assert week[5 * 24 + 10] == pytest.approx(0.97)

    def test_a_base_is_what_is_assumed(self) -> None:
        base = trade.base_of(Family.HEAT, TWO_SHIFTS, 8)
        chance: Floats = trade.week_of_trade(Family.HEAT, TWO_SHIFTS, 8)
        np.testing.assert_allclose(base, logit(chance))
        assert not trade.base_of(None, TWO_SHIFTS, 8).any()

    def test_a_week_wraps(self) -> None:
        """A window from Sunday night on meets Monday's shift."""
        week = trade.week_of_trade(Family.CUTTING, TWO_SHIFTS, 12)
        assert week[7 * 24 - 1] < week[6 * 24]

    def test_shifts_are_shares(self) -> None:
        for assumed in trade.ASSUMED.values():
            assert sum(assumed.shifts) == pytest.approx(1.0)
            assert assumed.little + assumed.full < 1.0
