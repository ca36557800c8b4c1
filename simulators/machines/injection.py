"""Injection moulding: short cycles around the clock once the mould is in."""

import numpy as np

from fleet.network import Trade
from simulators.machines.base import Kind, Levels, Spread
from simulators.noise import Floats


def _inject_and_cool(phase: Floats) -> Floats:
    return np.select([phase < 0.2, phase < 0.75], [0.92 + 0.0 * phase, 0.36 + 0.0 * phase], 0.55)


INJECTION_PRESS = Kind(
    name="injection-press",
    trade=Trade.INJECTION,
    rated_w=(20_000, 60_000),
    off=0.002,
    standby=0.09,
    setup=0.18,
    run=Spread(90, 0.5),
    pause=Spread(5),
    change=Spread(75, 0.4),
    runs=6,
    cycle_s=(18, 60),
    counts="pieces",
    curve=_inject_and_cool,
    levels=Levels(0.2, 0.25),
    fault_hours=85,
    night=0.3,
)
