"""Machining centre: roughing, finishing and tool changes, finishes its pallet after the shift."""

import numpy as np

from fleet.network import Trade
from simulators.machines.base import Kind, Levels, Spread
from simulators.noise import Floats


def _rough_finish(phase: Floats) -> Floats:
    tool_change = (phase * 8) % 1.0 < 0.12
    return np.where(tool_change, 0.24, np.where(phase < 0.6, 0.72, 0.46))


MACHINING_CENTRE = Kind(
    name="machining-centre",
    trade=Trade.MACHINING,
    rated_w=(18_000, 45_000),
    off=0.002,
    standby=0.08,
    setup=0.12,
    run=Spread(48, 0.5),
    pause=Spread(7),
    change=Spread(35, 0.5),
    runs=5,
    cycle_s=(240, 1_500),
    counts="pieces",
    curve=_rough_finish,
    levels=Levels(0.2, 0.2),
    fault_hours=70,
    night=0.35,
    overrun_s=5_400,
)
