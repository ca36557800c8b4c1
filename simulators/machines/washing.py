"""Parts washer: heated tank, pumps in each programme."""

import numpy as np

from fleet.network import Trade
from simulators.machines.base import Kind, Levels, Spread
from simulators.noise import Floats


def _wash_rinse_dry(phase: Floats) -> Floats:
    return np.select([phase < 0.4, phase < 0.65], [0.70 + 0.0 * phase, 0.45 + 0.0 * phase], 0.90)


PARTS_WASHER = Kind(
    name="parts-washer",
    trade=Trade.WASHING,
    rated_w=(12_000, 30_000),
    off=0.001,
    standby=0.10,
    setup=0.20,
    run=Spread(50, 0.4),
    pause=Spread(12),
    change=Spread(8),
    runs=6,
    cycle_s=(500, 1_100),
    counts="cycles",
    curve=_wash_rinse_dry,
    levels=Levels(0.5, 0.05),
    fault_hours=160,
)
