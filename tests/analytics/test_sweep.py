"""Many machines at once: what is said of each is what its own history says, alone or among others."""

from datetime import time
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from analytics import utilisation
from analytics.chances import FleetProfile, Kin
from analytics.evaluate import flags
from analytics.history import History, local_hours, utc, week_of, week_start
from analytics.level import WeeklyPrior, level_of, prior_of
from analytics.outlook import AHEAD_HOURS
from analytics.rules import RuleContext
from analytics.rules.evidence import AHEAD_WEEKS, WEEKS, Evidence
from analytics.sweep import Block, Columns, Question, Swept, sweep
from analytics.verdicts import SAID, Rule
from fleet.network import Calendar, Day, Shift
from tests.analytics.machines import NETWORK, machine, member
from tests.analytics.made import ZONE, Made, made

SEEDS = st.integers(0, 2**32 - 1)
SIZES = st.lists(st.integers(1, 8), min_size=1, max_size=3).map(tuple)
ALWAYS = Calendar(staffed=(Shift(days=tuple(Day), start=time(0), end=time(0)),), works_on_holidays=True)


def asked(given: Made, **changes: float) -> Question:
    return Question(given.now, ZONE, **changes)  # type: ignore[arg-type]  # names and kinds as the test says


def taken(given: Made, *places: int) -> Block:
    """Those machines of the block, in that order."""
    block, picked = given.block, list(places)
    columns = Columns(*(np.ascontiguousarray(column[picked]) for column in block.seconds))
    return Block(tuple(block.machines[place] for place in picked), block.clock, columns)


def rounded(given: Made) -> Block:
    """As files keep it: single precision, which holds a millisecond of an hour."""
    return given.block._replace(seconds=Columns(*(column.astype(np.float32) for column in given.block.seconds)))


def arrays(found: Swept) -> list[NDArray[Any]]:
    """All that was found."""
    return list(found)


def of_member(given: Made, place: int) -> list[int]:
    """Places of the machines of the same member."""
    return [other for other, key in enumerate(given.block.machines) if key.member == given.block.machines[place].member]


def complete(history: History, now: int) -> History:
    """The last complete weeks, from the first in which anything was heard."""
    week = week_of(utc(now), ZONE)
    past = history.between(week_start(week - WEEKS, ZONE), week_start(week, ZONE))
    heard = np.flatnonzero(past.observed > 0)
    first = int(past.clock.week[heard[0]]) if len(heard) else week
    return past.between(week_start(first, ZONE), past.end)


def prior(given: Made, place: int) -> WeeklyPrior:
    """What the member's other machines teach."""
    weeks = [utilisation.stratified(complete(given.histories[other], given.now)) for other in of_member(given, place)]
    others = [week for other, week in zip(of_member(given, place), weeks, strict=True) if other != place]
    return prior_of([week.share[week.observed > 0] for week in others])


@settings(max_examples=25, deadline=None)
@given(SEEDS, SIZES, st.integers(2, 14), st.integers(0, 100), st.sampled_from([1, 4, 7, 8, 24]))
def test_chances_are_those_of_each_machine(
    seed: int, sizes: tuple[int, ...], weeks: int, running: int, window: int
) -> None:
    given = made(seed, sizes, weeks, running_hours=running)
    found = sweep(given.block, asked(given, window=window))
    week, ahead = week_of(utc(given.now), ZONE), local_hours(given.now, AHEAD_HOURS, ZONE)
    for place, history in enumerate(given.histories):
        profile = FleetProfile(Kin(str(other), given.histories[other]) for other in of_member(given, place))
        chances = profile.told(Kin(str(place), history), window, week).free[ahead.hour_of_week]
        np.testing.assert_allclose(found.free[place], chances, rtol=1e-6)


@settings(max_examples=25, deadline=None)
@given(SEEDS, SIZES, st.integers(4, 14))
def test_levels_and_verdicts_are_those_of_each_machine(seed: int, sizes: tuple[int, ...], weeks: int) -> None:
    given = made(seed, sizes, weeks)
    rule = Rule(0.3)
    found = sweep(given.block, Question(given.now, ZONE, rule=rule))
    for place, history in enumerate(given.histories):
        past, believed = complete(history, given.now), prior(given, place)
        weekly = utilisation.stratified(past)
        seen = weekly.observed > 0
        level = level_of(weekly.share[seen], weekly.coverage[seen], believed)
        assert found.level[place] == pytest.approx(level.mean, rel=1e-9)
        assert found.certainty[place] == pytest.approx(level.below(rule.threshold, rule.ahead_weeks), abs=1e-9)
        assert found.coverage[place] == pytest.approx(utilisation.use(past).coverage or 0.0)
        said = flags.say(past, believed, rule.threshold, rule.ahead_weeks)
        assert SAID[found.said[place]] == said


@settings(max_examples=15, deadline=None)
@given(SEEDS, st.integers(6, 14))
def test_where_all_hours_are_staffed_the_rule_has_the_same_evidence(seed: int, weeks: int) -> None:
    given = made(seed, (3,), weeks, running_hours=10)
    found = sweep(given.block, asked(given))
    for place, history in enumerate(given.histories):
        one = machine()
        context = RuleContext(
            member(one, calendar=ALWAYS), one, NETWORK, history, utc(given.now), True, True, prior(given, place)
        )
        evidence = Evidence(context)
        assert found.coverage[place] == pytest.approx(evidence.coverage)
        if evidence.ordinary.sum() == (evidence.weekly.observed > 0).sum():
            assert found.level[place] == pytest.approx(evidence.level.mean, rel=1e-9)
            below = evidence.level.below(Rule().threshold, AHEAD_WEEKS)
            assert found.certainty[place] == pytest.approx(below, abs=1e-9)


@settings(max_examples=15, deadline=None)
@given(SEEDS, SIZES)
def test_single_precision_is_enough(seed: int, sizes: tuple[int, ...]) -> None:
    given = made(seed, sizes, 12)
    whole, single = sweep(given.block, asked(given)), sweep(rounded(given), asked(given))
    assert whole.free.tobytes() == single.free.tobytes()
    np.testing.assert_allclose(whole.level, single.level, atol=1e-7)
    np.testing.assert_allclose(whole.certainty, single.certainty, atol=1e-6)


@settings(max_examples=15, deadline=None)
@given(SEEDS, st.lists(st.one_of(st.just(30), st.integers(1, 90)), min_size=2, max_size=5).map(tuple))
def test_however_members_are_parted_every_bit_is_the_same(seed: int, sizes: tuple[int, ...]) -> None:
    given = made(seed, sizes, 3)
    whole, edges = sweep(given.block, asked(given)), np.cumsum((0, *sizes)).tolist()
    parts = [sweep(taken(given, *range(low, high)), asked(given)) for low, high in pairwise(edges)]
    for one, other in zip(arrays(whole), arrays(Swept.joined(parts)), strict=True):
        assert one.tobytes() == other.tobytes()


def test_another_members_machines_change_nothing() -> None:
    given, other = made(1, (6, 6), 8), made(2, (6, 6), 8)
    mixed = Block(
        given.block.machines,
        given.block.clock,
        Columns(
            *(np.concatenate([a[:6], b[6:]]) for a, b in zip(given.block.seconds, other.block.seconds, strict=True))
        ),
    )
    for one, two in zip(arrays(sweep(given.block, asked(given))), arrays(sweep(mixed, asked(given))), strict=True):
        assert one[:6].tobytes() == two[:6].tobytes()
        assert one.dtype == np.uint8 or one[6:].tobytes() != two[6:].tobytes()


def test_silence_is_no_idleness() -> None:
    given = made(3, (2,), 12)
    silent = Columns(*(np.where([[True], [False]], 0.0, column) for column in given.block.seconds))
    silent = silent._replace(unknown=np.where([[True], [False]], 3600.0, given.block.seconds.unknown))
    found = sweep(Block(given.block.machines, given.block.clock, silent), asked(given))
    assert (SAID[found.said[0]], found.coverage[0]) == ("history", 0.0)
    np.testing.assert_allclose(found.free[0], 0.5, atol=0.4)  # its neighbour's shape about an even chance
    assert found.certainty[0] < 0.5


def test_what_is_used_little_for_long_is_flagged_and_what_is_used_much_is_clear() -> None:
    given = made(4, (3,), 12)
    clock, count = given.block.clock, len(given.block.clock)
    at_work = (clock.hour_of_week < 120) & (clock.hour_of_week % 24 >= 6) & (clock.hour_of_week % 24 < 14)
    low, much, none = np.where(clock.hour_of_week == 9, 3600.0, 0.0), np.where(at_work, 3600.0, 0.0), np.zeros(count)
    zero = np.zeros((3, count))
    seconds = Columns(np.stack([low, much, none]), zero, zero, zero, zero)
    found = sweep(Block(given.block.machines, clock, seconds), asked(given))
    assert [SAID[code] for code in found.said] == ["flagged", "clear", "life"]
    assert found.free[1, 9] < 0.2 < 0.8 < found.free[1, 5 * 24 + 9]  # Monday and Saturday at nine
