"""Compressor, a utility: loads and unloads all day; unloaded it still draws more than a quarter of its power."""

import numpy as np

from fleet.network import Trade
from simulators.machines.base import Kind, Levels, Spread
from simulators.noise import Floats


def _loaded(phase: Floats) -> Floats:
    return 0.92 + 0.06 * np.sin(2 * np.pi * phase)


COMPRESSOR = Kind(
    name="compressor",
    trade=Trade.UTILITY,
    rated_w=(15_000, 55_000),
    off=0.002,
    standby=0.27,
    setup=0.27,
    run=Spread(9, 0.5),
    pause=Spread(4, 0.5),
    change=Spread(1, 0.2),
    runs=200,
    cycle_s=(300, 600),
    counts="cycles",
    curve=_loaded,
    levels=Levels(0.0, 0.3),
    fault_hours=400,
    maintenance_weeks=12,
    night=0.9,
    noise=0.02,
)
