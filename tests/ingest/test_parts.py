"""The small parts: saying things at most so often, newest values, batches put together."""

import asyncio

import numpy as np

from fleet.batch import MachineKey, ReadingBatch, empty_rows
from ingest.merge import merge
from ingest.touched import merged, newest
from ingest.trailing import Trailing
from tests.patience import PATIENCE_S


async def test_trailing_says_the_first_at_once_and_the_last_always() -> None:
    loop, said = asyncio.get_running_loop(), list[tuple[str, float]]()
    trailing = Trailing(0.05, lambda key: said.append((key, loop.time())))
    for _ in range(10):
        trailing.poke("a")
    trailing.poke("b")
    assert [key for key, _ in said] == ["a", "b"]
    async with asyncio.timeout(PATIENCE_S):
        while len(said) < 3:  # noqa: ASYNC110 - a timer makes it true
            await asyncio.sleep(0.005)
    assert said[2][0] == "a"
    assert said[2][1] - said[0][1] >= 0.049
    trailing.poke("a")
    trailing.close()
    assert [key for key, _ in said] == ["a", "b", "a", "a"]
    trailing.close()
    assert len(said) == 4


def test_newest_values_are_of_their_own_machine() -> None:
    rows = empty_rows(4)
    rows["machine"] = [1, 0, 1, 0]
    rows["at_ns"] = np.array([5, 2, 3, 9]) * 1_000_000
    rows["arrived_ms"] = [10, 11, 12, 13]
    rows["power_w"] = [np.nan, 7.0, 4.0, np.nan]
    rows["state"] = [0, 255, 255, 255]
    rows["counter"][3] = 8
    one, other = MachineKey("a", "x"), MachineKey("a", "y")
    assert newest(ReadingBatch((one, other), rows)) == {
        one: {"at": 9, "arrived": 13, "hours": [], "power_w": 7.0, "counter": 8},
        other: {"at": 5, "arrived": 12, "hours": [], "power_w": 4.0, "state": "PRODUCING"},
    }
    assert newest(ReadingBatch((one,), empty_rows(0))) == {}


def test_of_two_changes_the_newer_reading_wins_whichever_comes_first() -> None:
    old = {"at": 1, "arrived": 9, "hours": [0], "power_w": 1.0, "counter": 3}
    new = {"at": 2, "arrived": 8, "hours": [3600], "power_w": 2.0}
    both = {"at": 2, "arrived": 9, "hours": [0, 3600], "power_w": 2.0, "counter": 3}
    assert merged(old, new) == merged(new, old) == both


def test_merged_batches_keep_machines_order_and_metrics() -> None:
    a, b = MachineKey("a", "x"), MachineKey("b", "x")
    first, second = empty_rows(2), empty_rows(2)
    second["machine"] = [0, 1]
    both = merge([ReadingBatch((a,), first, {1: "{}"}), ReadingBatch((b, a), second, {0: '{"x":1}'})])
    assert [both.machines[index] for index in both.rows["machine"]] == [a, a, b, a]
    assert both.metrics == {1: "{}", 2: '{"x":1}'}
