"""The ledger against its slow oracle, and against itself: at once, hour by hour, late, reordered, duplicated."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analytics.carry import parse, reopened
from analytics.ledger import fold
from analytics.power_rule import PowerRule
from analytics.states import StateModel
from fleet.batch import NO_INT, MachineKey, Rows, empty_rows
from fleet.records import HourBucket
from fleet.states import NO_STATE, UNKNOWN
from tests.analytics.ledger_oracle import Oracle, Said

KEY = MachineKey("atelier", "press-1")
START = 1_700_000_000 // 3600 * 3600
HOURS = 4

MODELS = st.builds(
    StateModel,
    max_silence_ms=st.sampled_from([30_000, 300_000, 900_000, 5_400_000]),
    on_w=st.just(100.0),
    off_w=st.sampled_from([70.0, 100.0]),
    idle_w=st.sampled_from([0.0, 20.0]),
    counter=st.sampled_from([True, True, False]),
    cycle_ms=st.sampled_from([0, 120_000]),
    pulse_ms=st.sampled_from([0, 0, 600_000]),
    since_ms=st.sampled_from([(START + 3600) * 1000, (START + 7200) * 1000]),
    before=st.sampled_from(
        [
            (),
            (PowerRule(0, 50.0, 10.0, 0.0, "learned", ""),),
            (PowerRule(0, 90.0, 90.0, 20.0, "modes", "", pulse_ms=120_000), PowerRule((START + 3600) * 1000)),
        ]
    ),
)
MODELS_WITHOUT_POWER = st.builds(StateModel, max_silence_ms=st.sampled_from([60_000, 900_000]))


@st.composite
def histories(draw: st.DrawFn) -> list[Said]:
    """Readings with bursts, gaps and every mixture of quantities; counters now and then fall back."""
    steps = draw(
        st.lists(st.sampled_from([1, 5, 10, 30, 59, 60, 61, 300, 301, 899, 900, 901, 2000, 4000]), max_size=60)
    )
    quantities = draw(st.sets(st.sampled_from(["state", "utilisation", "power_w", "energy_wh", "counter"]), min_size=1))
    kinds = sorted(quantities)
    at, counter, energy, said = START - 1, 5, 1000.0, []
    for step in steps:
        at += step
        chosen = draw(st.sets(st.sampled_from(kinds), min_size=1))
        one = Said(at)
        if "state" in chosen:
            one.state = draw(st.sampled_from([0, 0, 1, 2, 3, 4, 5, 6]))
        if "utilisation" in chosen:
            one.utilisation = draw(st.sampled_from([0.0, 0.25, 0.5, 1.0]))
        if "power_w" in chosen:
            one.power_w = draw(st.sampled_from([-5.0, 0.0, 10.0, 50.0, 80.0, 99.0, 100.0, 500.0]))
        if "energy_wh" in chosen:
            energy = 0.0 if draw(st.integers(0, 15)) == 0 else energy + draw(st.sampled_from([0.0, 1.0, 7.5]))
            one.energy_wh = energy
        if "counter" in chosen:
            counter = 0 if draw(st.integers(0, 15)) == 0 else counter + draw(st.sampled_from([0, 0, 1, 3]))
            one.counter = counter
        said.append(one)
    return said


def rows_of(said: list[Said]) -> Rows:
    rows = empty_rows(len(said))
    for row, one in zip(rows, said, strict=True):
        row["at_ns"] = one.at * 1_000_000_000 + one.at % 1000
        row["state"] = NO_STATE if one.state is None else one.state
        row["counter"] = NO_INT if one.counter is None else one.counter
        for name in ("utilisation", "power_w", "energy_wh"):
            value = getattr(one, name)
            row[name] = np.nan if value is None else value
    return rows


def whole(rows: Rows, model: StateModel, now: int) -> dict[int, HourBucket]:
    """Everything folded at once."""
    folded = fold(KEY, rows, model, start=START, now_ms=now * 1000)
    return {bucket.hour: bucket for bucket in folded.hours}


def within(rows: Rows, start: int) -> Rows:
    return rows[rows["at_ns"] >= start * 1_000_000_000]


def derive(standing: dict[int, HourBucket], rows: Rows, model: StateModel, dirty: int, now: int) -> None:
    """Bring the buckets up to date after readings in the hour ``dirty``, from the carries that stand."""

    def carry_before(hour: int) -> str:
        earlier = [key for key in standing if key < hour]
        return standing[max(earlier)].carry if earlier else ""

    carry, start = carry_before(dirty), dirty
    if carry:
        start = reopened(parse(carry), dirty, model)
        carry = carry_before(start)
    later = [hour for hour in standing if hour >= start]
    folded = fold(KEY, within(rows, start), model, start=start, now_ms=now * 1000, carry=carry, standing=later)
    standing.update({bucket.hour: bucket for bucket in folded.hours})


def spoken(standing: dict[int, HourBucket]) -> dict[int, HourBucket]:
    """Without the hours that turned out silent: they say what an absent one says."""
    return {hour: one for hour, one in standing.items() if one.readings or one.seconds[UNKNOWN] < sum(one.seconds)}


@settings(max_examples=60, deadline=None)
@given(histories(), st.one_of(MODELS, MODELS_WITHOUT_POWER), st.integers(1, HOURS * 3600))
def test_every_second_is_what_the_oracle_says(said: list[Said], model: StateModel, passed: int) -> None:
    now = START + passed
    found, oracle = whole(rows_of(said), model, now), Oracle(said, model, now)
    for hour in range(START, now, 3600):
        expected, bucket = oracle.hour(hour), found.pop(hour, None)
        assert (bucket is None) == (expected is None)
        if bucket is None or expected is None:
            continue
        assert sum(bucket.seconds) == pytest.approx(min(3600, now - hour), abs=1e-9)
        assert bucket.seconds == pytest.approx(expected.seconds, abs=0.002 * len(said) + 1e-9)
        assert bucket.segments == expected.segments
        assert (bucket.pieces, bucket.resets, bucket.readings) == (expected.pieces, expected.resets, expected.readings)
        assert bucket.power_max_w == expected.power_max_w
        assert bucket.conflicts == 0
        assert bucket.energy_wh == (expected.energy_wh and pytest.approx(expected.energy_wh, abs=1e-6))
        assert (bucket.energy_by_state is None) == (bucket.energy_wh is None)
        if bucket.energy_by_state is not None:
            assert bucket.energy_by_state == pytest.approx(expected.energy_by_state, abs=1e-6)
            assert sum(bucket.energy_by_state) == pytest.approx(bucket.energy_wh, rel=1e-12)
        assert bucket.metered_s == pytest.approx(expected.metered_s, abs=1e-9)
        shares = {basis: expected.bases.count(basis) for basis in expected.bases}
        assert shares.get(bucket.basis, 0) == max(shares.values(), default=0)
    assert not found


@settings(max_examples=200, deadline=None)
@given(histories(), st.one_of(MODELS, MODELS_WITHOUT_POWER), st.data())
def test_reading_by_reading_is_at_once(said: list[Said], model: StateModel, data: st.DataObject) -> None:
    """Live: after each reading, with the clock moving on, only the hours that may change are derived."""
    rows, now, standing = rows_of(said), START + 1, dict[int, HourBucket]()
    for count, one in enumerate(said, 1):
        running, now = now // 3600 * 3600, max(now, one.at + 1 + data.draw(st.sampled_from([0, 0, 1, 30, 600])))
        derive(standing, rows[:count], model, min(running, one.at // 3600 * 3600), now)
    end = now + 7200
    derive(standing, rows, model, now // 3600 * 3600, end)
    assert spoken(standing) == spoken(whole(rows, model, end))


@settings(max_examples=200, deadline=None)
@given(histories(), st.one_of(MODELS, MODELS_WITHOUT_POWER), st.randoms(use_true_random=False))
def test_late_reordered_and_duplicated_is_at_once(said: list[Said], model: StateModel, random: object) -> None:
    """Readings in any order and twice, each derived as it comes, with the clock already past all of them."""
    rows, standing = rows_of(said), dict[int, HourBucket]()
    end = (said[-1].at if said else START) + 9000
    order = list(range(len(said))) * 2
    random.shuffle(order)  # type: ignore[attr-defined]  # Hypothesis hands out a random.Random
    for count, index in enumerate(order, 1):
        derive(standing, rows[order[:count]], model, said[index].at // 3600 * 3600, end)
    assert spoken(standing) == spoken(whole(rows, model, end))


@settings(max_examples=100, deadline=None)
@given(histories(), st.one_of(MODELS, MODELS_WITHOUT_POWER))
def test_hour_by_hour_is_at_once(said: list[Said], model: StateModel) -> None:
    """Restarted at every hour from the carry of the one before."""
    rows, standing = rows_of(said), dict[int, HourBucket]()
    end = ((said[-1].at if said else START) // 3600 + 3) * 3600
    for hour in range(START, end, 3600):
        before = rows[rows["at_ns"] < (hour + 3600) * 1_000_000_000]
        derive(standing, before, model, hour, hour + 3600)
    assert spoken(standing) == spoken(whole(rows, model, end))


@settings(max_examples=100, deadline=None)
@given(histories(), MODELS, st.integers(1, HOURS * 3600))
def test_nothing_changes_before_the_next_change(said: list[Said], model: StateModel, passed: int) -> None:
    """Until ``next_ms`` the state in force holds, and at ``next_ms`` the ledger knows better."""
    rows, now = rows_of(said), START + passed
    folded = fold(KEY, rows, model, start=START, now_ms=now * 1000)
    if folded.next_ms is None:
        far = fold(KEY, rows, model, start=START, now_ms=(now + 86_400) * 1000)
        assert far.state == folded.state
        return
    assert folded.next_ms >= now * 1000
    until = fold(KEY, rows, model, start=START, now_ms=folded.next_ms)
    assert (until.state, until.since_ms) == (folded.state, folded.since_ms)
