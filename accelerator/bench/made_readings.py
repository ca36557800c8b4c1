"""What a reading costs in the ledger: readings of one machine folded into its hours, by what they tell."""

import time
from collections.abc import Callable
from typing import Any, Final

import numpy as np

from analytics.ledger import fold
from analytics.states import StateModel
from fleet.batch import MachineKey, Rows, empty_rows
from fleet.states import OFF, PRODUCING, SETUP, STANDBY

DAYS: Final = 30
EVERY_S: Final = 20
_START: Final = 1_794_870_000 // 3600 * 3600
_ROUNDS: Final = 5
_KEY: Final = MachineKey("bench", "machine")


def measure() -> dict[str, Any]:
    """CPU microseconds a reading, the least of five folds of a month; JSON values only."""
    model = StateModel(on_w=3000.0, off_w=2100.0)
    found = {name: _least(rows(make), model) for name, make in KINDS.items()}
    return {"readings": DAYS * 86_400 // EVERY_S, "every_s": EVERY_S, "us_per_reading": found}


def rows(make: Callable[[np.random.Generator, Rows], None]) -> Rows:
    """A month of readings that tell what ``make`` fills in; runs of one state last about a quarter of an hour."""
    rng = np.random.default_rng(7)
    made = empty_rows(DAYS * 86_400 // EVERY_S)
    times = _START * 1000 + 1000 * EVERY_S * np.arange(len(made)) + rng.integers(0, 1000, len(made))
    made["at_ns"] = times * 1_000_000
    make(rng, made)
    return made


def _states(rng: np.random.Generator, made: Rows) -> None:
    changes = np.cumsum(rng.random(len(made)) < EVERY_S / 900)
    kinds = rng.choice([PRODUCING, PRODUCING, SETUP, STANDBY, OFF], int(changes[-1]) + 1)
    made["state"] = kinds[changes]


def _power(rng: np.random.Generator, made: Rows) -> None:
    working = np.cumsum(rng.random(len(made)) < EVERY_S / 900) % 2 == 0
    made["power_w"] = np.where(working, 9000.0, 400.0) * np.exp(0.1 * rng.standard_normal(len(made)))


def _all(rng: np.random.Generator, made: Rows) -> None:
    _states(rng, made)
    _power(rng, made)
    made["counter"] = np.cumsum((made["power_w"] > 3000) & (rng.random(len(made)) < 0.3))


KINDS: Final[dict[str, Callable[[np.random.Generator, Rows], None]]] = {
    "state": _states,
    "power": _power,
    "state, power, counter": _all,
}


def _least(made: Rows, model: StateModel) -> float:
    spent = []
    for _ in range(_ROUNDS):
        begun = time.thread_time()
        fold(_KEY, made, model, start=_START, now_ms=(_START + DAYS * 86_400) * 1000)
        spent.append(time.thread_time() - begun)
    return round(1e6 * min(spent) / len(made), 3)
