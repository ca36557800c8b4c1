"""The back-test of P(free): its protocol, its rivals, a planted leak, and the recording of the job shop."""

import csv
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from analytics.evaluate import folds as rolling
from analytics.evaluate.availability import MODELS, OURS, evaluate, report
from analytics.evaluate.files import Intervals, Timeline, read_intervals, read_observed, timelines
from analytics.evaluate.folds import Model, Past, folds, looks_ahead
from analytics.evaluate.grid import Grid
from analytics.evaluate.known import forecasts
from analytics.history import local_hours
from analytics.spans import both, united, without

MONDAY = datetime(2026, 3, 2, tzinfo=UTC)
KEYS = ("window", "lead", "n", "weeks", "models", "gain", "reliability", "ece_interval", "notes")


def grid(machines: int = 3, weeks: int = 8, seed: int = 1, timezone: str = "UTC") -> Grid:
    """Machines of different levels that favour weekdays."""
    random = np.random.default_rng(seed)
    count = 168 * weeks
    clock = local_hours(int(MONDAY.timestamp()), count, timezone)
    chance = np.linspace(0.05, 0.5, machines)[:, None] * (clock.hour_of_week < 120)
    busy = np.where(random.random((machines, count)) < chance, 1800.0, 0.0)
    names = tuple(f"m{number}" for number in range(machines))
    return Grid(names, clock, busy, busy, np.full((machines, count), 3600.0))


def file(folder: Path, name: str, rows: list[tuple[str, datetime, datetime]]) -> Path:
    path = folder / name
    with path.open("w", newline="") as opened:
        writer = csv.writer(opened)
        writer.writerow(("machine", "start", "end"))
        writer.writerows((machine, start.isoformat(), end.isoformat()) for machine, start, end in rows)
    return path


def test_a_fold_knows_the_windows_that_ended_and_no_other() -> None:
    shop = grid()
    for fold in folds(shop, 8, 0, 2):
        origin = int(np.searchsorted(shop.clock.week, fold.week))
        weeks = fold.week - shop.clock.week[0]
        assert fold.past.known.shape == (weeks, 3, 168)
        assert fold.past.known.sum() == 3 * (origin - 7)
        assert fold.past.known[-1, :, -7:].sum() == 0  # they end after Monday 00:00
        assert fold.hour_of_week.tolist() == list(range(len(fold.hour_of_week)))
        expected = [not (shop.busy[0, start : start + 8] > 0).any() for start in range(origin - 8)]
        known = fold.past.known[:, 0].ravel().astype(bool)
        assert fold.past.free[:, 0].ravel()[known][: len(expected)].astype(bool).tolist() == expected


def test_a_lead_moves_the_forecast_to_an_earlier_origin() -> None:
    first = next(folds(grid(), 8, 30, 2))
    assert first.hour_of_week[0] == 30
    assert len(first.hour_of_week) == 168
    assert first.hour_of_week[-1] == 29  # Tuesday of the next week, told on Monday of this one


def test_clock_changes_keep_every_start_once() -> None:
    shop = grid(timezone="Europe/Paris", weeks=6)  # the week of 29 March has 167 hours
    asked = [len(fold.hour_of_week) for fold in folds(shop, 1, 0, 1)]
    assert 167 in asked
    assert sum(asked) == len(shop.clock) - int(np.searchsorted(shop.clock.week, shop.clock.week[0] + 1))


def test_rivals_by_hand() -> None:
    free = np.zeros((2, 2, 168), dtype=np.uint8)
    known = np.zeros((2, 2, 168), dtype=np.uint8)
    known[:, 0, :2] = 1
    free[0, 0, 0] = free[0, 0, 1] = free[1, 0, 0] = 1  # hour 0: free, free; hour 1: free, busy; machine 1: never seen
    past = Past(free, known)
    said = {name: model(past) for name, model in MODELS.items()}
    assert set(said["climatology"].ravel()) == {0.75}
    assert said["machine_mean"][1, 0] == 0.75
    assert said["last_week"][0, :3].tolist() == [1.0, 0.0, 0.75]
    assert said["raw_hour_of_week"][0, :3].tolist() == [1.0, 0.5, 0.75]
    assert said["smoothed_hour_of_week"][0, :3].tolist() == [5 / 6, 4 / 6, 0.75]
    assert said[OURS][0, 0] > said[OURS][0, 1]


@pytest.mark.parametrize("name", list(MODELS))
def test_no_model_looks_ahead(name: str) -> None:
    assert looks_ahead(grid(), lambda _: MODELS[name], 8, 0, 2) == []


def test_a_planted_leak_is_shown() -> None:
    def prophet(shop: Grid) -> Model:
        """Knows the share of all weeks, those to come included."""
        outcome = np.stack([(shop.busy[:, hour::168] == 0).mean(axis=1) for hour in range(168)], axis=1)
        return lambda _: outcome

    shop = grid()
    assert len(looks_ahead(shop, prophet, 1, 0, 2)) == 6
    honest = report(shop, MODELS, 1, 0, 2)["models"]
    leaking = report(shop, {**MODELS, "prophet": prophet(shop)}, 1, 0, 2)
    assert leaking["models"]["prophet"]["brier"] < min(scores["brier"] for scores in honest.values())
    assert leaking["gain"]["prophet"]["high"] < 0  # too good, in the same table


def test_a_leak_of_the_harness_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    def all_begun(origin: int, _window_h: int, starts: int) -> int:
        return min(origin, starts)

    monkeypatch.setattr(rolling, "windows_ended", all_begun)
    assert looks_ahead(grid(), lambda _: MODELS[OURS], 8, 0, 2)


def test_only_observed_windows_are_scored_or_learned_from(tmp_path: Path) -> None:
    week = timedelta(weeks=1)
    busy = [("saw", MONDAY + k * week, MONDAY + k * week + timedelta(hours=10)) for k in range(6)]
    alive = [("saw", MONDAY, MONDAY + 5 * week), ("idle", MONDAY, MONDAY + 5 * week + timedelta(hours=48))]
    intervals = read_intervals(file(tmp_path, "busy.csv", busy))
    observed = read_observed(file(tmp_path, "observed.csv", alive))
    found = evaluate(intervals, observed, window_h=8, first_weeks=3)
    assert tuple(found) == KEYS
    assert found["n"] == 2 * (2 * 168 - 7) + 48
    assert found["models"]["last_week"]["brier"] < 0.001
    assert found["window"] == "8h"
    assert found["weeks"] == 3
    assert found["notes"] == ["3 weeks scored, too few for intervals (4): the figures may be chance"]
    assert found["gain"]["climatology"]["low"] is None
    assert found["ece_interval"] == [None, None]


def test_observed_for_99_of_100_is_enough_and_less_is_not(tmp_path: Path) -> None:
    def scored(silent_minutes: int) -> int:
        gap = MONDAY + timedelta(weeks=1, hours=100)
        alive = [("saw", MONDAY, gap), ("saw", gap + timedelta(minutes=silent_minutes), MONDAY + timedelta(weeks=2))]
        busy = read_intervals(file(tmp_path, "busy.csv", [("saw", MONDAY, MONDAY + timedelta(hours=5))]))
        observed = read_observed(file(tmp_path, "observed.csv", alive))
        return int(evaluate(busy, observed, window_h=8, first_weeks=1)["n"])

    assert scored(4) == 161
    assert scored(5) == 161 - 8


def test_a_busy_minute_makes_its_hour_busy(tmp_path: Path) -> None:
    rows = [("saw", MONDAY + timedelta(hours=3, minutes=59), MONDAY + timedelta(hours=4))]
    lines = timelines(read_intervals(file(tmp_path, "busy.csv", rows)), None)
    shop = Grid.of(lines, "UTC")
    assert np.flatnonzero(shop.busy[0]).tolist() == [3]
    assert shop.busy[0, 3] == pytest.approx(60.0)
    assert len(shop.clock) == 168


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"window_h": 0}, "window of 0 h"),
        ({"window_h": 169}, "whole hours from 1 to 168"),
        ({"lead_h": -1}, "lead of -1 h"),
        ({"first_weeks": 0}, "at least 1 week"),
        ({"first_weeks": 9}, "the recording has 1 local week; 9 are only learned from .--first-weeks., so it takes 10"),
    ],
)
def test_what_cannot_be_asked(tmp_path: Path, options: dict[str, Any], message: str) -> None:
    busy = read_intervals(file(tmp_path, "busy.csv", [("saw", MONDAY, MONDAY + timedelta(hours=9))]))
    with pytest.raises(ValueError, match=message):
        evaluate(busy, **options)


def test_a_wrong_century_is_refused(tmp_path: Path) -> None:
    rows = [("saw", MONDAY, MONDAY + timedelta(hours=9)), ("saw", MONDAY, MONDAY.replace(year=2126))]
    with pytest.raises(ValueError, match="from 2026-03-02 to 2126-03-02: more than 20 years"):
        evaluate(read_intervals(file(tmp_path, "busy.csv", rows)))


def test_starts_are_whole_local_hours_where_the_offset_is_not(tmp_path: Path) -> None:
    rows = [("saw", MONDAY + timedelta(hours=1, minutes=15), MONDAY + timedelta(hours=2, minutes=15))]
    shop = Grid.of(timelines(read_intervals(file(tmp_path, "busy.csv", rows)), None), "Asia/Kathmandu")
    assert np.flatnonzero(shop.busy[0]).tolist() == [7]  # 07:00 to 08:00 at +05:45
    assert shop.busy[0, 7] == pytest.approx(3600.0)
    assert shop.clock.hour_of_week.tolist() == list(range(168))


def test_observed_elsewhere_is_nothing(tmp_path: Path) -> None:
    busy = read_intervals(file(tmp_path, "busy.csv", [("saw", MONDAY, MONDAY + timedelta(hours=9))]))
    alive = read_observed(file(tmp_path, "o.csv", [("mill", MONDAY, MONDAY + timedelta(hours=9))]))
    with pytest.raises(ValueError, match="can be scored"):
        evaluate(busy, alive)


def flipped(line: Timeline, at: float) -> Timeline:
    """The recording with everything from ``at`` on turned into its opposite."""
    before, after = (np.array([edges], dtype=np.float64) for edges in ((-np.inf, at), (at, np.inf)))
    opposite = both(without(line.observed, line.busy), after)
    busy = united(np.concatenate([both(line.busy, before), opposite]))
    return line._replace(busy=busy, used=busy)


def test_a_known_state_is_that_before_the_forecast(tmp_path: Path) -> None:
    """What happens from the instant of a forecast on does not move it; what happens before does."""
    random = np.random.default_rng(5)
    at = [MONDAY + timedelta(hours=float(hours)) for hours in np.cumsum(random.exponential(9.0, 400))]
    rows = [(f"m{k % 3}", at[k], at[k] + timedelta(hours=float(random.uniform(1, 14)))) for k in range(180)]
    lines = timelines(read_intervals(file(tmp_path, "busy.csv", rows)), None)
    shop = Grid.of(lines, "UTC")
    rounds = list(folds(shop, 4, 2.25, 3))
    plain = forecasts(shop, rounds, 4, 2.25)
    fold, asked = rounds[1], 30
    instant = shop.clock.start + 3600.0 * (float(fold.start[asked]) - 2.25)
    twin = Grid.of({name: flipped(line, instant) for name, line in lines.items()}, "UTC")
    assert twin.clock.start == shop.clock.start
    said = forecasts(twin, list(folds(twin, 4, 2.25, 3)), 4, 2.25)
    np.testing.assert_array_equal(said[1][:, asked], plain[1][:, asked])
    assert not np.array_equal(said[1][:, asked + 1], plain[1][:, asked + 1])


def job_shop() -> Intervals:
    beside = Path(__file__).resolve().parents[3] / "shared" / "data"
    path = Path(os.environ.get("RESILIAN_RECORDINGS", beside)) / "production_4tu" / "busy_intervals.csv"
    if not path.is_file():
        pytest.skip("the recording production_4tu is not there")
    return read_intervals(path)


@pytest.mark.recordings
@pytest.mark.parametrize(("window", "percent", "highest"), [(8, 8.0, 0.108), (24, 5.0, 0.099)])
def test_job_shop(window: int, percent: float, highest: float) -> None:
    found = evaluate(job_shop(), None, window, 0, 4)
    rival = found["gain"]["smoothed_hour_of_week"]
    assert rival["percent"] >= percent
    assert rival["low"] > 0
    ours = found["models"].pop(OURS)
    assert ours["brier"] < min(model["brier"] for model in found["models"].values())
    assert ours["brier"] <= highest
    assert ours["ece"] <= 0.03


@pytest.mark.recordings
@pytest.mark.parametrize(("lead", "highest"), [(0.25, 0.058), (4.0, 0.088), (24.0, 0.100)])
def test_job_shop_with_the_state_known(lead: float, highest: float) -> None:
    beside: dict[str, Model] = {
        "smoothed_hour_of_week": MODELS["smoothed_hour_of_week"],
        OURS: lambda past: MODELS[OURS](past._replace(recent=None)),  # the profile alone
    }
    shop = Grid.of(timelines(job_shop(), None), "UTC")
    found = report(shop, beside, 4, lead, 4, state_known=True)["state_known"]
    assert found["label"] == "oracle"
    assert found["brier"] <= highest
    assert found["ece"] <= 0.03
    assert found["gain"]["smoothed_hour_of_week"]["low"] > 0
    assert found["gain"][OURS]["low"] > 0
