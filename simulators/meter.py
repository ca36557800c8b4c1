"""What the meter of a plant reads, as it is mounted: a clamp that was moved reads another power from then on."""

from dataclasses import replace

import numpy as np

from simulators.imperfections import Imperfections
from simulators.noise import Millis
from simulators.timeline import Samples, Timeline


def read(faults: Imperfections, timeline: Timeline, at_ms: Millis, *, averaged: bool = False) -> Samples:
    """As :meth:`simulators.timeline.Timeline.at`; power and energy from the moment on at which the clamp was moved
    are those times its factor. The energy counter goes on from where it stood.
    """
    samples = timeline.at(at_ms, averaged=averaged)
    if faults.clamp_moved_ms is None or not len(samples):
        return samples
    moved = at_ms >= faults.clamp_moved_ms
    stood = timeline.at(np.array([max(faults.clamp_moved_ms, timeline.origin_ms)])).energy_wh[0]
    return replace(
        samples,
        power_w=np.where(moved, (samples.power_w * faults.clamp_factor).round(1), samples.power_w),
        energy_wh=np.where(moved, stood + (samples.energy_wh - stood) * faults.clamp_factor, samples.energy_wh),
    )
