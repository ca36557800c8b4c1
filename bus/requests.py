"""SUBSCRIBE and UNSUBSCRIBE, each under a packet id of its own, and whom their answers are for."""

from collections.abc import Callable, Collection, Sequence
from typing import Final

from bus.outbox import MAX_PACKET_ID
from bus.wire import Wire, subscribe_bytes, unsubscribe_bytes

_FIRST_ID: Final = MAX_PACKET_ID + 1
_LAST_ID: Final = 65_535

Answered = Callable[[Sequence[int]], None]
"""Called with a reason code for each topic filter that was asked about."""


class Requests:
    """What was asked on the connection of the moment and is not answered yet."""

    def __init__(self) -> None:
        self._wire: Wire | None = None
        self._waiting: dict[int, Answered] = {}
        self._next = _FIRST_ID

    def attach(self, wire: Wire) -> None:
        """Ask through ``wire`` from now on; nobody answers what was asked on an earlier connection."""
        self._wire = wire
        self._waiting.clear()

    def detach(self) -> None:
        """The connection is gone."""
        self._wire = None

    def subscribe(self, patterns: Sequence[str], answered: Answered, once: Collection[str] = ()) -> None:
        """Ask for topic filters; nothing without a connection. ``once`` as :func:`bus.wire.subscribe_bytes`."""
        if self._wire is not None:
            self._wire.write(subscribe_bytes(self._expect(answered), patterns, once))

    def unsubscribe(self, patterns: Sequence[str], answered: Answered) -> None:
        """Give up topic filters; nothing without a connection."""
        if self._wire is not None:
            self._wire.write(unsubscribe_bytes(self._expect(answered), patterns))

    def answered(self, packet_id: int, codes: Sequence[int]) -> None:
        """A SUBACK or UNSUBACK came; one that nobody waits for is none of ours."""
        if (told := self._waiting.pop(packet_id, None)) is not None:
            told(codes)

    def _expect(self, answered: Answered) -> int:
        packet_id = self._next
        while packet_id in self._waiting:
            packet_id = packet_id + 1 if packet_id < _LAST_ID else _FIRST_ID
            if packet_id == self._next:
                raise RuntimeError("the broker owes us an answer to every packet id that is set aside for requests")
        self._next = packet_id + 1 if packet_id < _LAST_ID else _FIRST_ID
        self._waiting[packet_id] = answered
        return packet_id
