"""Ground truth: the same for a seed, however it is asked for; meters that agree with it."""

from collections.abc import Callable
from datetime import date, timedelta
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fleet.states import PRODUCING
from simulators.timeline import Intervals, Timeline, counting_since
from tests.simulators.conftest import NOW, ms, one_of_each

Make = Callable[..., list[Timeline]]
START, END = ms(NOW - timedelta(weeks=2)), ms(NOW)
HOUR = 3_600_000


def as_rows(runs: Intervals) -> list[tuple[int, int, int]]:
    return list(zip(runs.start_ms.tolist(), runs.end_ms.tolist(), runs.state.tolist(), strict=True))


def joined(rows: list[tuple[int, int, int]]) -> list[tuple[int, int, int]]:
    whole: list[tuple[int, int, int]] = []
    for start, end, state in rows:
        if whole and whole[-1][1] == start and whole[-1][2] == state:
            whole[-1] = (whole[-1][0], end, state)
        else:
            whole.append((start, end, state))
    return whole


def test_the_same_seed_lives_the_same_life(timelines: Make) -> None:
    for one, same, other in zip(timelines(1), timelines(1), timelines(2), strict=True):
        assert as_rows(one.intervals(START, END)) == as_rows(same.intervals(START, END))
        assert as_rows(one.intervals(START, END)) != as_rows(other.intervals(START, END))


def test_a_machine_does_not_depend_on_its_neighbours() -> None:
    plants = one_of_each()
    together = [Timeline(plant, counting_since(NOW.date())) for plant in plants]
    _ = [timeline.at(np.arange(START, END, HOUR)) for timeline in together]
    alone = Timeline(plants[-1], counting_since(NOW.date()))
    assert as_rows(alone.intervals(START, END)) == as_rows(together[-1].intervals(START, END))


@settings(max_examples=40, deadline=None)
@given(kind=st.integers(0, 12), cuts=st.lists(st.integers(START + 1, END - 1), max_size=5, unique=True))
def test_a_span_is_the_sum_of_its_pieces(kind: int, cuts: list[int]) -> None:
    plant = one_of_each()[kind]
    origin = counting_since(NOW.date())
    whole, pieces = Timeline(plant, origin), Timeline(plant, origin)
    edges = [START, *sorted(cuts), END]
    spans = list(pairwise(edges))
    runs = [row for first, last in spans for row in as_rows(pieces.intervals(first, last))]
    assert joined(runs) == joined(as_rows(whole.intervals(START, END)))
    beats = np.concatenate([pieces.beats(first, last, 900_000) for first, last in spans])
    assert beats.tolist() == whole.beats(START, END, 900_000).tolist()
    one, many = whole.at(beats), pieces.at(beats[::-1])
    assert one.power_w.tolist() == many.power_w[::-1].tolist()
    assert one.count.tolist() == many.count[::-1].tolist()


def test_states_do_not_depend_on_where_counting_began() -> None:
    for plant in one_of_each():
        early, late = Timeline(plant, counting_since(NOW.date())), Timeline(plant, counting_since(NOW.date(), 60))
        assert as_rows(early.intervals(START, END)) == as_rows(late.intervals(START, END))


def test_the_truth_has_no_gaps_and_sums_to_the_span(timelines: Make) -> None:
    for timeline in timelines():
        runs = timeline.intervals(START, END)
        assert runs.start_ms[0] == START
        assert runs.end_ms[-1] == END
        assert (runs.start_ms[1:] == runs.end_ms[:-1]).all()
        assert (runs.end_ms > runs.start_ms).all()


def test_a_reading_stands_at_each_change_and_at_most_every_so_often(timelines: Make) -> None:
    for timeline in timelines():
        beats = timeline.beats(START, END, 900_000)
        changes = timeline.intervals(START, END).start_ms[1:]
        assert np.isin(changes, beats).all()
        assert (np.diff(beats) > 0).all()
        assert np.diff(beats).max() <= 900_000


def test_counters_rise_with_production_alone(timelines: Make) -> None:
    for timeline in timelines():
        runs = timeline.intervals(START, END)
        at_start, at_end = timeline.at(runs.start_ms), timeline.at(runs.end_ms - 1)
        rose = at_end.count - at_start.count
        seconds = (runs.end_ms - runs.start_ms) / 1000
        producing = runs.state == PRODUCING
        assert (rose[~producing] == 0).all()
        expected = seconds[producing] / timeline.plant.cycle_s
        assert np.abs(rose[producing] - expected).max() <= 1.01
        assert (np.diff(at_start.count) >= 0).all()


def test_the_energy_counter_is_the_integral_of_the_power(timelines: Make) -> None:
    for timeline in timelines():
        at = np.arange(START, END, 20_000)
        read = timeline.at(at)
        used = read.energy_wh[-1] - read.energy_wh[0]
        assert used == pytest.approx(read.power_w.sum() * 20 / 3600, rel=0.03)
        assert (np.diff(read.energy_wh) >= 0).all()
        assert (read.power_w >= 0).all()


def test_the_next_change_is_the_start_of_another_run(timelines: Make) -> None:
    for timeline in timelines():
        starts = timeline.intervals(START, END).start_ms.tolist()
        assert timeline.next_change(START) == starts[1]
        assert timeline.next_change(starts[1]) == starts[2]


def test_counting_begins_at_fixed_points_of_the_calendar() -> None:
    assert counting_since(date(2026, 5, 1)) == counting_since(date(2026, 6, 30))
    assert counting_since(date(2026, 11, 1)) - counting_since(date(2026, 5, 1)) == 26
    with pytest.raises(ValueError, match="before the origin"):
        Timeline(one_of_each()[0], counting_since(NOW.date())).intervals(0, 1)
