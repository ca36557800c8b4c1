"""States against a known truth: on a history made by hand, and on simulated machines by each kind of signal."""

from datetime import UTC, datetime

import numpy as np
import pytest

from analytics.evaluate.truth import Judged, Truth, figures, judge, table
from fleet.batch import Rows, empty_rows
from fleet.network import Machine
from fleet.states import PRODUCING, STANDBY
from tests.bench.states import KINDS, MOVED, judged, plants, tell

START = int(datetime(2026, 3, 2, tzinfo=UTC).timestamp() * 1000)
MINUTE = 60_000
MACHINE = Machine(id="mill", name="Mill", every=60.0)


def spoken(minutes: list[int], state: int) -> Rows:
    rows = empty_rows(len(minutes))
    rows["at_ns"] = (START + MINUTE * np.array(minutes)) * 1_000_000
    rows["state"] = state
    return rows


def truth(*runs: tuple[int, int, int]) -> Truth:
    start, end, state = (np.array(column) for column in zip(*runs, strict=True))
    return Truth(START + MINUTE * start, START + MINUTE * end, state.astype(np.uint8))


def test_every_second_is_counted_once() -> None:
    rows = np.concatenate([spoken(list(range(30)), PRODUCING), spoken(list(range(30, 50)), STANDBY)])
    really = truth((0, 20, PRODUCING), (20, 60, STANDBY))
    found = judge(
        rows, MACHINE, really, START, START + 60 * MINUTE, silences=[(START + 49 * MINUTE, START + 60 * MINUTE)]
    )
    assert table(found.seconds) == {
        "PRODUCING": {"PRODUCING": 1200}, "STANDBY": {"PRODUCING": 600, "STANDBY": 1320, "UNKNOWN": 480},
    }  # fmt: skip
    assert found.silent == (480.0, 480.0)
    told = figures(found.seconds)
    assert told["known"] == pytest.approx(52 / 60)
    assert told["accuracy"] == pytest.approx(42 / 52)
    assert 0 < told["kappa"] < told["accuracy"] == told["in_use"]


def test_time_without_truth_is_not_judged() -> None:
    found = judge(spoken([0, 1, 2], PRODUCING), MACHINE, truth((1, 2, PRODUCING)), START, START + 5 * MINUTE)
    assert table(found.seconds) == {"PRODUCING": {"PRODUCING": 60}}


def test_what_was_said_of_nothing() -> None:
    nothing = figures(np.zeros((7, 7)))
    assert nothing == {"known": None, "accuracy": None, "kappa": None, "in_use": None}


@pytest.fixture(scope="module")
def simulated() -> list[dict[str, Judged]]:
    """Ten machines of the network, six weeks, a reading every five minutes."""
    told = [tell(plant, 6, 300.0) for plant in plants(11, 10)]
    return [{kind: judged(one, kind, 300.0) for kind in KINDS} for one in told]


@pytest.mark.parametrize(
    ("kind", "known", "accuracy"),
    [
        ("published", 0.98, 0.97),
        ("counter", 0.6, 0.9),
        ("power", 0.7, 0.92),
        ("power, marked", 0.98, 0.95),
        ("power, clamp moved", 0.6, 0.92),
    ],
)
def test_simulated_machines(simulated: list[dict[str, Judged]], kind: str, known: float, accuracy: float) -> None:
    """Bounds well below what `scripts/bench states` finds: a test of the whole path, not of the figures."""
    seconds = np.sum([one[kind].seconds for one in simulated], axis=0)
    found = figures(seconds)
    assert found["known"] > known
    assert found["accuracy"] > accuracy
    control = figures(np.sum([one[MOVED[1]].seconds for one in simulated], axis=0))
    assert kind == "counter" or found["accuracy"] > control["accuracy"]
    silent = np.sum([one[kind].silent for one in simulated], axis=0)
    assert silent[0] == silent[1] > 0
