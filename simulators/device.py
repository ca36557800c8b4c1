"""A live device: what it puts on the wire at an instant, imperfections included. No clock, no socket."""

import re
from typing import Final

import numpy as np

from fleet.states import STATES
from simulators import meter
from simulators.formats import CANONICAL, Message, Sample
from simulators.history import WEEK_MS, arrays, silences
from simulators.noise import uniform
from simulators.plant import Plant
from simulators.timeline import Timeline

_POWER: Final = re.compile(rb'("(?:power_w|Power|power|active_power|total_act_power)": ?(?:{"Value":)?)[0-9.]+')
_BUFFERED: Final = 2_000
_DUPLICATE, _REORDER, _GARBAGE = 101, 102, 103  # streams of one noise key


class Device:
    """The meter or controller of one plant.

    Machines may live faster than the clock: the machine's time runs ``speed`` times as fast as the wall's from
    ``joined_ms`` on, when both are equal. Readings carry the wall's time (the device's clock error included).
    """

    def __init__(self, plant: Plant, timeline: Timeline, joined_ms: int, speed: float) -> None:
        self.plant, self.timeline = plant, timeline
        self._joined_ms, self._speed = joined_ms, speed
        self._held: list[Message] = []
        self._buffer: list[Sample] = []
        self._boot = joined_ms
        self._seq = 0
        self._silent: tuple[tuple[int, int], ...] = ()
        self._silent_until = joined_ms

    @property
    def resendable(self) -> frozenset[str]:
        """Topics on which everything carries its own time, so that it may arrive twice and late."""
        plant = self.plant
        kept = {CANONICAL.feed(*plant.key).topic}
        if plant.format.dated:
            kept |= {topic for topic, _ in plant.format.encode(plant.feed, self.sample(self._joined_ms), plant.zone)}
        return frozenset(kept)

    def machine_ms(self, wall_ms: int) -> int:
        """The machine's time at a wall time, epoch ms."""
        return self._joined_ms + round((wall_ms - self._joined_ms) * self._speed)

    def next_change_ms(self, wall_ms: int) -> int:
        """Wall time of the first change of state after ``wall_ms``."""
        change = self.timeline.next_change(self.machine_ms(wall_ms))
        return max(wall_ms + 1, self._joined_ms + int(-((self._joined_ms - change) // self._speed)))

    def state_at(self, wall_ms: int) -> int:
        """Code of the true state."""
        machine_ms = self.machine_ms(wall_ms)
        return int(self.timeline.intervals(machine_ms, machine_ms + 1).state[0])

    def messages(self, wall_ms: int) -> list[Message]:
        """What leaves the device at that wall time, in order; nothing while its feed is silent."""
        sample = self.sample(wall_ms)
        if self._is_silent(wall_ms):
            if self.plant.imperfections.buffers and len(self._buffer) < _BUFFERED:
                self._buffer.append(self._numbered(sample))
            return []
        if self.plant.format.numbered:
            sample = self._numbered(sample)
        messages = self.plant.format.encode(self.plant.feed, sample, self.plant.zone)
        return [*self._resent(), *self._disturbed(wall_ms, messages)]

    def sample(self, wall_ms: int) -> Sample:
        """What the device reads at that wall time, without a number."""
        machine_ms = self.machine_ms(wall_ms)
        both = meter.read(self.plant.imperfections, self.timeline, np.array([self._joined_ms, machine_ms]))
        # energy is power over the wall's time, however fast the machine lives
        used = (both.energy_wh[1] - both.energy_wh[0]) / self._speed
        return Sample(
            at_ms=wall_ms + round(self.plant.imperfections.clock_offset_s * 1000),
            state=STATES[int(both.state[1])].value,
            power_w=float(both.power_w[1]),
            energy_wh=float(both.energy_wh[0] + used),
            counter=int(both.count[1]),
        )

    def _numbered(self, sample: Sample) -> Sample:
        """The sample with the next number, which it takes: one that is never sent has none."""
        self._seq += 1
        return sample._replace(seq=self._seq, boot=self._boot)

    def _is_silent(self, wall_ms: int) -> bool:
        if wall_ms >= self._silent_until:
            self._silent = tuple(silences(self.plant, wall_ms, wall_ms))
            self._silent_until = wall_ms + WEEK_MS // 168
        return any(begin <= wall_ms < end for begin, end in self._silent)

    def _resent(self) -> list[Message]:
        """What was kept during a silence: canonical arrays from a device that has a buffer."""
        kept, self._buffer = self._buffer, []
        if not kept:
            return []
        feed = CANONICAL.feed(*self.plant.key)
        rows = [CANONICAL.encode(feed, sample, self.plant.zone)[0][1].decode() for sample in kept]
        return [(feed.topic, payload) for payload in arrays(rows)]

    def _disturbed(self, wall_ms: int, messages: list[Message]) -> list[Message]:
        faults = self.plant.imperfections
        if self._dice(_GARBAGE, wall_ms) < faults.garbage:
            messages = [(topic, _without_number(topic, payload)) for topic, payload in messages]
        if not self._held and self._dice(_REORDER, wall_ms) < faults.reordered:
            self._held += messages
            return []
        sent, self._held = [*messages, *self._held], []
        return sent * 2 if self._dice(_DUPLICATE, wall_ms) < faults.duplicates else sent

    def _dice(self, stream: int, wall_ms: int) -> float:
        return float(uniform(self.plant.noise_key + stream, np.array([wall_ms]))[0])


def _without_number(topic: str, payload: bytes) -> bytes:
    """The payload with a power that is none."""
    if topic.endswith("/power") and not payload.startswith(b"{"):
        return b"NaN"  # the payload is the value
    return _POWER.sub(rb'\1"NaN"', payload)
