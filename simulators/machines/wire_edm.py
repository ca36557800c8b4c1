"""Wire erosion: steady draw for hours, runs on alone at night."""

import numpy as np

from fleet.network import Trade
from simulators.machines.base import Kind, Levels, Spread
from simulators.noise import Floats


def _passes(phase: Floats) -> Floats:
    return np.where(phase < 0.7, 0.85, 0.55)


WIRE_EDM = Kind(
    name="wire-edm",
    trade=Trade.EDM,
    rated_w=(6_000, 14_000),
    off=0.004,
    standby=0.10,
    setup=0.14,
    run=Spread(190, 0.4),
    pause=Spread(20),
    change=Spread(35),
    runs=2,
    cycle_s=(5_400, 14_400),
    counts="pieces",
    curve=_passes,
    levels=Levels(0.35, 0.15),
    fault_hours=120,
    night=0.4,
    overrun_s=5 * 3_600,
)
