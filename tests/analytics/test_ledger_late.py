"""Readings up to thirty days late, in batches, out of order, twice, and over restarts: as if all had come at once."""

import asyncio
import itertools

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from analytics.derive import rederive
from analytics.history import History, week_start
from analytics.ledger import fold
from analytics.states import StateModel
from fleet.batch import MachineKey, ReadingBatch, Rows
from fleet.records import HourBucket
from fleet.states import PRODUCING, STANDBY
from store import Store, connect
from tests.analytics.ledger_oracle import Said
from tests.analytics.machines import local
from tests.analytics.test_ledger_properties import rows_of, spoken

KEY = MachineKey("atelier", "press-1")
START = int(local(2026, 3, 9).timestamp())
"""Three weeks before the clocks go forward."""
END = START + 33 * 86_400
MODEL = StateModel(max_silence_ms=5_400_000, on_w=100.0, off_w=70.0, idle_w=20.0)


@st.composite
def months(draw: st.DrawFn) -> list[Said]:
    """A month of bursts with hours and days between them; counters now and then fall back or wrap."""
    said: list[Said] = []
    at, counter, energy = START, 65_000, 1000.0
    for _ in range(draw(st.integers(1, 25))):
        at += draw(st.sampled_from([600, 3_600, 20_000, 86_400, 3 * 86_400]))
        for _ in range(draw(st.integers(1, 4))):
            at += draw(st.sampled_from([1, 60, 900, 1_800]))
            if at >= END - 10_000:
                return said
            one = Said(at, power_w=draw(st.sampled_from([0.0, 30.0, 90.0, 400.0])))
            if draw(st.booleans()):
                counter = (counter + draw(st.sampled_from([0, 1, 300]))) % 65_536
                one.counter = counter
            if draw(st.booleans()):
                energy = 0.0 if draw(st.integers(0, 9)) == 0 else energy + draw(st.sampled_from([0.0, 7.5, 40.0]))
                one.energy_wh = energy
            if draw(st.integers(0, 4)) == 0:
                one.state = draw(st.sampled_from([0, 1, 2, 3, 6]))
            said.append(one)
    return said


async def kept(store: Store) -> dict[int, HourBucket]:
    return {bucket.hour: bucket for bucket in await store.read_hours([KEY], 0, 2**40)}


async def arriving(rows: Rows, batches: list[list[int]]) -> dict[int, HourBucket]:
    """The hours in the store after the batches came one by one, each derived by a worker that has just started."""
    store = connect("duckdb:///:memory:")
    await store.open()
    for batch in batches:
        some = rows[np.sort(np.array(batch))]
        await store.write_readings(ReadingBatch((KEY,), some))
        dirty = {int(at) // (3600 * 10**9) * 3600 for at in some["at_ns"]}
        await rederive(store, KEY, MODEL, dirty, END * 1000)
    found = await kept(store)
    await store.close()
    return found


@settings(max_examples=25, deadline=None)
@given(months(), st.data())
def test_a_month_in_any_batches_is_a_month_at_once(said: list[Said], data: st.DataObject) -> None:
    rows = rows_of(said)
    order = data.draw(st.permutations(range(len(said))))
    twice = data.draw(st.lists(st.sampled_from(order), max_size=5)) if said else []
    cuts = sorted(data.draw(st.lists(st.integers(0, len(said)), max_size=4)))
    edges = [0, *cuts, len(said)]
    batches = [[*order[low:high], *twice] for low, high in itertools.pairwise(edges)]
    found = asyncio.run(arriving(rows, [batch for batch in batches if batch]))
    whole = fold(KEY, rows, MODEL, start=START // 3600 * 3600, now_ms=END * 1000)
    assert spoken(found) == spoken({bucket.hour: bucket for bucket in whole.hours})


async def test_a_reading_thirty_days_late_moves_its_own_hours_alone() -> None:
    at = np.arange(START, END - 3600, 600)
    said = [Said(int(one), state=PRODUCING if one % 86_400 < 20_000 else STANDBY, power_w=150.0) for one in at]
    rows = rows_of(said)
    late = int(np.searchsorted(at, START + 2 * 86_400))
    timely = [index for index in range(len(said)) if not late <= index < late + 60]
    before = await arriving(rows, [timely])
    after = await arriving(rows, [timely, list(range(late, late + 60))])
    whole = fold(KEY, rows, MODEL, start=START // 3600 * 3600, now_ms=END * 1000)
    assert spoken(after) == spoken({bucket.hour: bucket for bucket in whole.hours})
    changed = {hour for hour in after if before.get(hour) != after[hour]}
    low, high = (int(at[index]) // 3600 * 3600 for index in (late - 1, late + 60))
    assert changed <= set(range(low, high + 1, 3600))


def test_weeks_of_167_and_169_hours_hold_all_their_seconds() -> None:
    """The ledger counts in UTC; a local week in which the clocks change is shorter or longer, and no hour is lost."""
    for day, hours in ((local(2026, 3, 23), 167), (local(2026, 10, 19), 169), (local(2026, 6, 1), 168)):
        start = int(day.timestamp())
        rows = rows_of([Said(at, state=PRODUCING, power_w=360.0) for at in range(start, start + hours * 3600, 1800)])
        buckets = fold(KEY, rows, MODEL, start=start, now_ms=(start + hours * 3600) * 1000).hours
        history = History.from_buckets(buckets, "Europe/Paris")
        assert history.end == week_start(int(history.clock.week[0]) + 1, "Europe/Paris")
        assert set(history.clock.week.tolist()) == {int(history.clock.week[0])}
        assert len(history) == hours
        assert float(history.produced.sum()) == hours * 3600
        assert history.energy_wh is not None
        assert float(history.energy_wh[:, PRODUCING].sum()) == hours * 360.0
