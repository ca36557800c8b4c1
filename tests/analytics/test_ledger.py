"""Single hours by hand: conflicts, resets, deaths, shares, gaps."""

from collections.abc import Mapping

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics.ledger import Folded, fold
from analytics.states import StateModel
from fleet.batch import MachineKey, Rows, empty_rows
from fleet.records import HourBucket
from fleet.states import FAULT, OFF, PRODUCING, SETUP, STANDBY, UNKNOWN

KEY = MachineKey("atelier", "press-1")
START = 1_700_000_000 // 3600 * 3600
HOUR_MS = 3_600_000
POWER = StateModel(on_w=1000.0, off_w=700.0)


def readings(*said: tuple[float, Mapping[str, float]]) -> Rows:
    """(seconds after START, quantities) each; rows of one time are different readings."""
    rows = empty_rows(len(said))
    for index, (second, quantities) in enumerate(said):
        rows[index]["at_ns"] = (START * 1000 + round(second * 1000)) * 1_000_000 + index
        for name, value in quantities.items():
            rows[index][name] = value
    return rows


def folded(*said: tuple[float, Mapping[str, float]], model: StateModel | None = None, passed: int = 3600) -> Folded:
    return fold(KEY, readings(*said), model or StateModel(), start=START, now_ms=(START + passed) * 1000)


def hour(*said: tuple[float, Mapping[str, float]], model: StateModel | None = None) -> HourBucket:
    (bucket,) = folded(*said, model=model).hours
    return bucket


def test_a_contradiction_of_one_millisecond_is_counted_and_goes_to_the_busier() -> None:
    for first, second in ((FAULT, PRODUCING), (PRODUCING, FAULT)):
        bucket = hour((0, {"state": first}), (0, {"state": second}))
        assert (bucket.conflicts, bucket.readings, bucket.seconds[PRODUCING]) == (1, 2, 900)
    bucket = hour((0, {"power_w": 5.0}), (0, {"power_w": 7.0}), (1, {"counter": 4}), (1, {"counter": 3}))
    assert (bucket.conflicts, bucket.power_max_w) == (2, 7.0)


def test_quantities_of_one_millisecond_come_together() -> None:
    bucket = hour((0, {"state": SETUP}), (0, {"power_w": 5.0}), (0, {"power_w": 5.0, "counter": 1}))
    assert (bucket.conflicts, bucket.readings, bucket.seconds[SETUP], bucket.pieces) == (0, 3, 900, 0)


def test_a_counter_that_falls_back_is_marked_and_never_negative() -> None:
    bucket = hour((0, {"counter": 65_530}), (300, {"counter": 65_535}), (600, {"counter": 4}), (900, {"counter": 6}))
    assert (bucket.pieces, bucket.resets) == (7, 1)


def test_a_death_is_unknown_at_once_and_the_next_reading_is_life() -> None:
    model = StateModel(on_w=1000.0, off_w=1000.0)
    bucket = hour((0, {"state": PRODUCING}), (60, {"state": UNKNOWN}), (120, {"power_w": 2000.0}), model=model)
    assert bucket.segments == ((0, PRODUCING), (60, UNKNOWN), (120, PRODUCING), (1020, UNKNOWN))
    assert bucket.basis == "power"


def test_silence_is_unknown_and_never_idle() -> None:
    bucket = hour((0, {"state": STANDBY}))
    assert bucket.segments == ((0, STANDBY), (900, UNKNOWN))
    assert bucket.seconds[UNKNOWN] == 2700


def test_before_the_first_reading_is_unknown() -> None:
    assert hour((1800, {"state": OFF})).segments == ((0, UNKNOWN), (1800, OFF), (2700, UNKNOWN))


def test_a_share_of_use_is_seconds_and_none_of_them_is_free() -> None:
    bucket = hour((0, {"utilisation": 0.3}), (600, {"utilisation": 0.0}), (900, {"state": UNKNOWN}))
    assert (bucket.seconds[PRODUCING], bucket.seconds[STANDBY]) == (180, 720)
    assert bucket.segments == ((0, PRODUCING), (600, STANDBY), (900, UNKNOWN))
    assert bucket.basis == "state"


def test_trust_is_state_then_counter_then_power() -> None:
    say = {"power_w": 5000.0, "counter": 1}
    by_counter: list[tuple[float, dict[str, float]]] = [
        (0, say),
        (300, say),
        (600, {**say, "counter": 2}),
        (900, {"state": UNKNOWN}),
    ]
    assert hour(*by_counter, model=POWER).segments == ((0, STANDBY), (300, PRODUCING), (900, UNKNOWN))
    by_state = [(at, {**said, "state": said.get("state", FAULT)}) for at, said in by_counter]
    assert hour(*by_state, model=POWER).segments == ((0, FAULT), (900, UNKNOWN))
    no_counter = StateModel(on_w=1000.0, off_w=700.0, counter=False)
    assert hour(*by_counter, model=no_counter).segments == ((0, PRODUCING), (900, UNKNOWN))


def test_a_slow_cycle_is_production_between_its_pieces() -> None:
    said = [(60 * minute, {"counter": minute // 5}) for minute in range(31)]
    model = StateModel(max_silence_ms=180_000, cycle_ms=600_000)
    assert hour(*said, model=model).segments == ((0, STANDBY), (240, PRODUCING), (1980, UNKNOWN))


def test_power_has_hysteresis_and_ignores_a_flicker() -> None:
    watts = [0, 0, 1200, 0, 1200, 1200, 800, 900, 600, 600]
    said = [(10 * index, {"power_w": float(power)}) for index, power in enumerate(watts)]
    assert hour(*said, model=POWER).segments == ((0, STANDBY), (40, PRODUCING), (80, STANDBY), (990, UNKNOWN))


def test_without_thresholds_power_is_no_state() -> None:
    bucket = hour((0, {"power_w": 5000.0}))
    assert (bucket.basis, bucket.seconds[UNKNOWN], bucket.energy_wh) == ("none", 3600, 1250.0)


def test_energy_is_the_counters_where_there_is_one() -> None:
    metered = [(600 * index, {"energy_wh": 1000.0 + 50 * index, "power_w": 9.0}) for index in range(4)]
    bucket = hour(*metered)
    assert bucket.energy_wh == pytest.approx(150 + 9 * 900 / 3600)  # the last reading's power goes on for 900 s


def test_energy_of_a_gap_is_known_at_its_end_and_belongs_to_no_state() -> None:
    rows = readings((0, {"energy_wh": 100.0}), (7500, {"energy_wh": 180.0}))
    found = fold(KEY, rows, StateModel(), start=START, now_ms=START * 1000 + 3 * HOUR_MS).hours
    assert [(bucket.hour, bucket.energy_wh) for bucket in found] == [(START, None), (START + 7200, 80.0)]
    assert [bucket.energy_by_state for bucket in found] == [None, (0, 0, 0, 0, 0, 0, 80.0)]
    assert [bucket.metered_s for bucket in found] == [0, 0]


def test_energy_goes_to_the_state_in_which_it_was_used() -> None:
    said = ((0, PRODUCING, 9000.0), (600, SETUP, 3000.0), (1200, STANDBY, 1200.0), (1800, OFF, 60.0))
    bucket = hour(*((at, {"state": state, "power_w": watts}) for at, state, watts in said))
    assert bucket.energy_by_state == pytest.approx((1500, 500, 200, 60 / 4, 0, 0, 0))
    assert (bucket.metered_s, bucket.seconds[UNKNOWN]) == (2700, 900)


def test_energy_of_a_share_of_use_is_never_called_idle() -> None:
    bucket = hour((0, {"utilisation": 0.3, "power_w": 1000.0}), (600, {"state": UNKNOWN}))
    assert bucket.energy_by_state is not None
    assert bucket.energy_by_state[PRODUCING] == pytest.approx(1000 / 6)
    assert bucket.energy_by_state[STANDBY] == 0


def test_years_of_silence_make_no_buckets() -> None:
    rows = readings((0, {"state": STANDBY}), (10 * 365 * 86_400, {"state": STANDBY}))
    now_ms = (START + 14 * 365 * 86_400) * 1000
    assert len(fold(KEY, rows, StateModel(), start=START, now_ms=now_ms).hours) == 2


def test_the_running_hour_is_a_part() -> None:
    found = folded((0, {"state": PRODUCING}), (700, {"state": STANDBY}), passed=1000)
    assert found.hours[0].seconds == (700, 0, 300, 0, 0, 0, 0)
    assert (found.state, found.since_ms, found.alive) == (STANDBY, (START + 700) * 1000, True)
    assert found.next_ms == (START + 1600) * 1000


def test_a_reading_of_the_future_waits() -> None:
    found = folded((0, {"state": PRODUCING}), (700, {"state": STANDBY}), passed=600)
    assert (found.state, found.next_ms, found.hours[0].readings) == (PRODUCING, (START + 700) * 1000, 1)


def test_nothing_said_is_nothing_written() -> None:
    found = folded()
    assert (found.hours, found.state, found.next_ms, found.last_ms, found.alive) == ([], UNKNOWN, None, None, False)


def test_a_reading_before_the_first_hour_is_refused() -> None:
    with pytest.raises(ValueError, match="older than the first hour"):
        folded((-1, {"state": PRODUCING}))


@given(st.lists(st.tuples(st.integers(0, 2 * HOUR_MS - 1), st.sampled_from([0, 2, 3, 6])), max_size=40))
def test_milliseconds_sum_to_the_hour_and_segments_are_whole_seconds(said: list[tuple[int, int]]) -> None:
    rows = readings(*((at / 1000, {"state": state}) for at, state in said))
    for bucket in fold(KEY, rows, StateModel(), start=START, now_ms=START * 1000 + 2 * HOUR_MS).hours:
        assert sum(round(second * 1000) for second in bucket.seconds) == HOUR_MS
        offsets = [offset for offset, _ in bucket.segments]
        assert offsets[0] == 0
        assert offsets == sorted(set(offsets))
        assert offsets[-1] < 3600
        assert all(a[1] != b[1] for a, b in zip(bucket.segments[:-1], bucket.segments[1:], strict=True))
        lengths = np.diff([*offsets, 3600])
        for state, seconds in enumerate(bucket.seconds):
            told = sum(length for length, one in zip(lengths, bucket.segments, strict=True) if one[1] == state)
            assert told == pytest.approx(seconds, abs=len(said) + 1)
