"""Readings of a simulated machine as the collector stores them."""

import numpy as np

from fleet.batch import NO_INT, Rows, empty_rows
from fleet.states import NO_STATE, STATE_CODE, STATES
from simulators.plant import Plant
from simulators.timeline import Samples


def rows_of(plant: Plant, samples: Samples) -> Rows:
    """What the plant's format tells of the samples."""
    rows = empty_rows(len(samples))
    codes = np.array([STATE_CODE[plant.format.heard(state.value)] for state in STATES], dtype=np.uint8)
    rows["at_ns"], rows["arrived_ms"] = samples.at_ms * 1_000_000, samples.at_ms
    rows["state"] = codes[samples.state] if plant.format.tells_state else NO_STATE
    rows["power_w"] = samples.power_w
    rows["energy_wh"] = samples.energy_wh if plant.format.tells_energy else np.nan
    rows["counter"] = samples.count if plant.format.tells_count else NO_INT
    return rows
