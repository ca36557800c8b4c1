"""Machines living: which of them speaks next, and when. The clock is an argument, publishing a callable."""

import heapq
from collections.abc import Callable, Sequence

from fleet.batch import MachineKey
from simulators.device import Device
from simulators.formats import Message


class Live:
    """All devices on one heap of due times, staggered over the first beat.

    ``on_run`` is called with each interval of the truth once it is over: machine, start and end by the wall clock in
    epoch ms, state code.
    """

    def __init__(
        self,
        devices: Sequence[Device],
        from_ms: int,
        every_ms: tuple[int, int],
        on_run: Callable[[MachineKey, int, int, int], None] | None = None,
    ) -> None:
        self._devices = devices
        self._on_run = on_run
        self._open = [(from_ms, -1)] * len(devices)  # since when which state; -1 before the device first spoke
        self._changes = [0] * len(devices)  # the next change after that
        span = max(1, every_ms[1] - every_ms[0])
        self._every = [every_ms[0] + device.plant.noise_key % span for device in devices]
        starts = ((from_ms + device.plant.noise_key % every_ms[1], index) for index, device in enumerate(devices))
        self._due = list(starts)
        heapq.heapify(self._due)

    @property
    def next_ms(self) -> int:
        """Wall time at which the next device speaks, epoch ms; far away without devices."""
        return self._due[0][0] if self._due else 2**62

    def speak(self, now_ms: int) -> list[Message]:
        """What all devices due until ``now_ms`` send, in order of their due times."""
        messages: list[Message] = []
        while self._due and self._due[0][0] <= now_ms:
            due, index = self._due[0]
            device = self._devices[index]
            self._follow(index, due)
            messages += device.messages(due)
            # a process that was stopped for a while does not make up for the beats in between
            beat = max(due + self._every[index], now_ms - self._every[index])
            heapq.heapreplace(self._due, (min(beat, self._changes[index]), index))
        return messages

    def finish(self, now_ms: int) -> None:
        """Close the intervals that are open."""
        for index in range(len(self._devices)):
            self._follow(index, now_ms)
            self._tell(index, now_ms)

    def _follow(self, index: int, until_ms: int) -> None:
        """Let the device's truth go on to ``until_ms``."""
        device = self._devices[index]
        if self._open[index][1] < 0:
            self._enter(index, self._open[index][0])
        while self._changes[index] <= until_ms:
            change = self._changes[index]
            if device.state_at(change) == self._open[index][1]:  # a week began, nothing else
                self._changes[index] = device.next_change_ms(change)
                continue
            self._tell(index, change)
            self._enter(index, change)

    def _enter(self, index: int, at_ms: int) -> None:
        device = self._devices[index]
        self._open[index] = (at_ms, device.state_at(at_ms))
        self._changes[index] = device.next_change_ms(at_ms)

    def _tell(self, index: int, until_ms: int) -> None:
        since, state = self._open[index]
        if self._on_run is not None:
            self._on_run(self._devices[index].plant.key, since, until_ms, state)
