"""A change of state is seen within two samples, whatever signal tells it; the ledger asked after each reading."""

from datetime import UTC, datetime
from typing import Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analytics.ledger import fold
from analytics.states import StateModel
from fleet.batch import MachineKey, Rows, empty_rows
from fleet.states import PRODUCING, STANDBY

KEY = MachineKey("acme", "mill")
START = int(datetime(2026, 3, 2, tzinfo=UTC).timestamp())
MODEL = StateModel(on_w=1000.0, off_w=700.0)
AT_WORK: Final = {"state": PRODUCING, "utilisation": 0.8, "counter": 2, "power_w": 4000.0}
AT_REST: Final = {"state": STANDBY, "utilisation": 0.0, "counter": 0, "power_w": 120.0}
"""What each quantity says; of a counter by how much it rises from one sample to the next."""


def rows(signal: str, every_s: int, works: list[bool]) -> Rows:
    found = empty_rows(len(works))
    found["at_ns"] = [(START + every_s * index) * 10**9 for index in range(len(works))]
    values = [AT_WORK[signal] if one else AT_REST[signal] for one in works]
    if signal == "counter":
        values = [1000 + sum(values[: index + 1]) for index in range(len(values))]
    found[signal] = values
    return found


def seen_after(signal: str, every_s: int, before: int, *, works: bool) -> int:
    """Number of samples of the new state after which the ledger says so."""
    line = [not works] * before + [works] * 4
    history = rows(signal, every_s, line)
    for samples in range(1, 5):
        told = history[: before + samples]
        now_ms = int(told["at_ns"][-1]) // 1_000_000 + 1
        state = fold(KEY, told, MODEL, start=START, now_ms=now_ms).state
        if state == (PRODUCING if works else STANDBY):
            return samples
    return 5


@pytest.mark.parametrize("signal", AT_WORK)
@settings(max_examples=40, deadline=None)
@given(st.integers(1, 290), st.integers(2, 40), st.booleans())
def test_a_change_is_seen_within_two_samples(signal: str, every_s: int, before: int, works: bool) -> None:
    assert seen_after(signal, every_s, before, works=works) <= 2


def test_a_flicker_of_one_sample_is_no_change() -> None:
    line = rows("power_w", 30, [True] * 5 + [False] + [True] * 5)
    bucket = fold(KEY, line, MODEL, start=START, now_ms=(START + 310) * 1000).hours[0]
    assert bucket.seconds[PRODUCING] == pytest.approx(310)


def test_a_machine_that_draws_in_bursts_stops_after_its_pulse() -> None:
    """The price of bursts: rest is seen only when they have stayed away for longer than they usually do."""
    model = StateModel(on_w=1000.0, off_w=700.0, pulse_ms=180_000)
    works = [index % 3 == 0 for index in range(31)] + [False] * 10
    history = rows("power_w", 60, works)
    folded = fold(KEY, history, model, start=START, now_ms=(START + 60 * len(works)) * 1000)
    (bucket,) = folded.hours
    assert folded.state == STANDBY
    assert bucket.segments == ((0, PRODUCING), (60 * 34, STANDBY))
