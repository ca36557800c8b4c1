"""Welding cell: arc on, arc off while the positioner turns."""

import numpy as np

from fleet.network import Trade
from simulators.machines.base import Kind, Levels, Spread
from simulators.noise import Floats


def _arc(phase: Floats) -> Floats:
    return np.where((phase * 6) % 1.0 < 0.7, 0.82, 0.22)


WELDING_CELL = Kind(
    name="welding-cell",
    trade=Trade.WELDING,
    rated_w=(10_000, 26_000),
    off=0.001,
    standby=0.05,
    setup=0.08,
    run=Spread(42, 0.5),
    pause=Spread(8),
    change=Spread(22),
    runs=5,
    cycle_s=(180, 700),
    counts="pieces",
    curve=_arc,
    levels=Levels(0.3, 0.15),
    fault_hours=65,
)
