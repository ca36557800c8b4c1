"""Delivered messages between their arrival and their PUBACK. Pure."""

from collections import deque

from bus.packets import Delivery


class Burst:
    """All deliveries of one socket read, in order; ``epoch`` is the connection that its packet ids belong to."""

    __slots__ = ("acknowledged", "deliveries", "epoch")

    def __init__(self, epoch: int, deliveries: list[Delivery]) -> None:
        self.epoch = epoch
        self.deliveries = deliveries
        self.acknowledged = False


class Inbox:
    """The bursts of the connection of the moment that still wait for their acknowledgement.

    Attributes:
        epoch: number of that connection; 0 between connections.
        stale: how many acknowledgements came too late, after their connection had gone.
    """

    def __init__(self) -> None:
        self.epoch = 0
        self.stale = 0
        self._open: deque[Burst] = deque()

    def __len__(self) -> int:
        return sum(len(burst.deliveries) for burst in self._open)

    def opened(self, epoch: int) -> None:
        """A new connection, or with 0 none: what is unacknowledged will be delivered again under other packet ids."""
        self.epoch = epoch
        self._open.clear()

    def receive(self, deliveries: list[Delivery]) -> Burst:
        """The deliveries as a burst to be acknowledged."""
        burst = Burst(self.epoch, deliveries)
        self._open.append(burst)
        return burst

    def acknowledge(self, burst: Burst) -> list[int]:
        """The packet ids to acknowledge now: all up to the first burst that is still open.

        PUBACKs leave in the order of delivery (MQTT 5.0, section 4.6), so a burst waits for those before it.
        """
        if burst.acknowledged:
            return []
        burst.acknowledged = True
        if burst.epoch != self.epoch:
            self.stale += 1
            return []
        packet_ids: list[int] = []
        while self._open and self._open[0].acknowledged:
            packet_ids += [one.packet_id for one in self._open.popleft().deliveries if one.packet_id is not None]
        return packet_ids
