"""What is learned of a machine's signals, and the model in force."""

from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest

from analytics.power_rule import PowerRule
from analytics.states import Learned, StateModel, learn, learn_again, learn_at, monday_ms, resolve
from fleet.batch import Rows, empty_rows
from fleet.network import Calibration, Machine

DAY = 86_400_000
MONDAY = int(datetime(2026, 3, 2, tzinfo=UTC).timestamp() * 1000)


def readings(every_ms: int, count: int, start: int = MONDAY, **columns: object) -> Rows:
    rows = empty_rows(count)
    rows["at_ns"] = (start + every_ms * np.arange(count)) * 1_000_000
    for name, column in columns.items():
        rows[name] = column
    return rows


def machine(**changes: object) -> Machine:
    return Machine.model_validate({"id": "mill", "name": "Mill", **changes})


def test_the_threshold_is_a_share_of_the_95th_percentile_of_the_time() -> None:
    power = np.where(np.arange(600) % 10 < 3, 4180.0, 120.0)
    learned = learn(readings(300_000, 600, power_w=power), 900_000, MONDAY + 4 * DAY)
    assert learned.power[0].work_w == 4200.0
    model = resolve(machine(), learned)
    assert model.source == "learned"
    assert model.on_w == pytest.approx(630)
    assert model.off_w == pytest.approx(441)


def test_time_counts_and_not_the_number_of_samples() -> None:
    """A device that speaks often while it works and seldom at rest has not worked the more for it."""
    at = np.concatenate([np.arange(0, 3 * DAY, 600_000), DAY + np.arange(0, 600_000, 1000)])
    power = np.concatenate([np.full(432, 100.0), np.full(600, 5000.0)])
    rows = empty_rows(len(at))
    rows["at_ns"], rows["power_w"] = (MONDAY + at) * 1_000_000 + np.arange(len(at)), power
    assert learn(rows, 900_000, MONDAY + 5 * DAY).power == (PowerRule(reason="one-level"),)


def test_a_machine_that_rarely_works_is_judged_by_its_work() -> None:
    power = np.where(np.arange(2000) % 100 < 2, 6000.0, 50.0)
    (rule,) = learn(readings(300_000, 2000, power_w=power), 900_000, MONDAY + 20 * DAY).power
    assert (rule.work_w, rule.source) == (6000.0, "learned")


@pytest.mark.parametrize(
    ("count", "power"),
    [(600, 50.0), (90, [0.0, 100.0] * 45), (600, 0.0), (600, -20.0)],
    ids=["always on one side", "too few", "off", "clamped the wrong way round"],
)
def test_not_inferable(count: int, power: object) -> None:
    learned = learn(readings(300_000, count, power_w=power), 900_000, MONDAY + 9 * DAY)
    assert learned.power[0].on_w is None
    assert resolve(machine(), learned) == StateModel()


def test_a_counter_that_never_moves_is_no_evidence() -> None:
    assert not learn(readings(300_000, 600, counter=7), 900_000, MONDAY + 9 * DAY).counter_moves
    assert learn(readings(300_000, 50, counter=7), 900_000, MONDAY + 9 * DAY).counter_moves  # not long enough to tell
    assert learn(readings(300_000, 600, counter=np.arange(600)), 900_000, MONDAY + 9 * DAY).counter_moves


def test_the_cycle_of_a_counter_that_is_read_more_often_than_it_rises() -> None:
    slow = learn(readings(60_000, 3000, counter=np.arange(3000) // 4), 180_000, MONDAY + 9 * DAY)
    assert slow.cycle_ms == 480_000
    quick = learn(readings(300_000, 600, counter=np.arange(600) * 3), 900_000, MONDAY + 9 * DAY)
    assert quick.cycle_ms == 0


def test_a_machine_that_publishes_its_state_needs_no_model_of_its_power() -> None:
    power = np.where(np.arange(8640) % 288 < 96, 4000.0, 100.0)
    rows = readings(300_000, 8640, power_w=power)
    assert learn(rows, 900_000, MONDAY + 40 * DAY).power[0].source == "modes"
    rows["state"] = 0
    assert learn(rows, 900_000, MONDAY + 40 * DAY).power[0].source == "learned"


def test_a_counter_of_long_cycles_is_no_evidence_of_minutes() -> None:
    """A furnace that counts loads of four hours works between two of them; power, if there is any, speaks instead."""
    at = np.arange(4000)
    learned = learn(readings(300_000, 4000, counter=at // 48), 900_000, MONDAY + 20 * DAY)
    assert (learned.counter_moves, learned.counter_slow) == (True, True)
    assert not resolve(machine(), learned).counter


@pytest.mark.parametrize(
    ("marked", "on", "idle"),
    [
        ({"working_w": 4000, "standby_w": 1000}, 2000, 0),
        ({"working_w": 4000, "standby_w": 1000, "off_w": 0}, 2000, 500),
        ({"working_w": 4000, "off_w": 100}, 800, 0),
        ({"working_w": 4000}, 800, 0),
    ],
)
def test_what_the_owner_marked_wins(marked: dict[str, float], on: float, idle: float) -> None:
    model = resolve(machine(calibration=marked), Learned((PowerRule(0, 1.0, 0.7, source="learned"),)))
    assert [model.on_w, model.off_w, model.idle_w] == pytest.approx([on, on, idle])
    assert model.source == "calibration"


def test_a_contradictory_mark_is_left_aside() -> None:
    assert resolve(machine(calibration=Calibration(working_w=100, standby_w=200))).source == "none"


def test_the_version_follows_what_shapes_hours_alone() -> None:
    rule = PowerRule(0, 100.0, 70.0, source="learned", reason="")
    one = resolve(machine(), Learned((rule,), samples=5))
    told_more = replace(rule, levels_w=(5.0, 150.0), work_w=150.0)
    assert one.version == resolve(machine(name="Other"), Learned((told_more,), samples=6)).version
    assert one.version != resolve(machine(every=60), Learned((rule,))).version
    assert one.version != resolve(machine(), Learned((replace(rule, on_w=110.0),))).version
    assert one.version != resolve(machine(), Learned((replace(rule, pulse_ms=600_000),))).version


def test_monday() -> None:
    assert monday_ms(MONDAY) == MONDAY
    assert monday_ms(MONDAY - 1) == MONDAY - 7 * DAY
    assert monday_ms(MONDAY + 7 * DAY - 1) == MONDAY


def test_learning_is_up_to_the_week_and_for_a_new_machine_up_to_the_day() -> None:
    power = np.where(np.arange(4000) % 10 < 3, 4000.0, 100.0)
    rows = readings(300_000, 4000, start=MONDAY + DAY, power_w=power)
    new = learn_at(rows, 900_000, MONDAY + 4 * DAY + 5)
    assert (new.until_ms, new.enough, new.power[0].work_w) == (MONDAY + 4 * DAY, True, 4000.0)
    assert learn_again(new, MONDAY + 7 * DAY)
    assert not learn_again(new, MONDAY + 6 * DAY)
    week = learn_at(rows, 900_000, MONDAY + 9 * DAY)
    assert week.until_ms == MONDAY + 7 * DAY
    nothing = learn_at(rows[:50], 900_000, MONDAY + DAY + 5)
    assert not nothing.enough
    assert learn_again(nothing, MONDAY + 2 * DAY)


def test_the_document_survives_another_version() -> None:
    learned = Learned((PowerRule(0, 4.0, 3.0, source="modes"),), cycle_ms=480_000, samples=9, from_ms=1, until_ms=2)
    assert Learned.from_json(learned.to_json()) == learned
    before = Learned.from_json(f'{{"reference_w": 5.0, "samples": 300, "until_ms": {MONDAY}}}')
    assert before == Learned()
    assert learn_again(before, MONDAY + DAY)  # at once, not next Monday
    later = '{"power": [{"on_w": 5.0, "of_the_future": 1}]}'
    assert Learned.from_json(later) == Learned((PowerRule(on_w=5.0),))
