"""Machines that wait for readings, and the device that may be theirs but speaks on another topic."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from fleet.topics import nearest, reading_topic
from gateway.access import OwnMachine
from gateway.devices import Group

_LIKE: Final = 0.8
"""Of topics that differ by a typing error: a machine that fell silent is reminded of no other device."""


@dataclass(frozen=True)
class Expected:
    """A machine whose readings do not come.

    Attributes:
        topic: where they are expected.
        speaks: topic of the likeliest device without a machine; "" when none could be its own.
        readable: whether a format reads that device, so that the machine can take its topic.
    """

    own: OwnMachine
    topic: str
    speaks: str = ""
    readable: bool = False


def expected(machines: Sequence[OwnMachine], groups: Sequence[Group]) -> list[Expected]:
    """The machines of one owner that never sent anything, or fell silent before a device on almost their topic began.

    A declared offer has no telemetry and waits for none.
    """
    found = []
    readable = {group.device.topic for group in groups if group.guess is not None}
    for own in machines:
        topic = listens_on(own)
        if own.present.last is None and not _declared(own):
            speaks = nearest(topic, [group.device.topic for group in groups])
            found.append(Expected(own, topic, speaks, speaks in readable))
        elif own.present.last is not None and own.present.silent and not own.present.arriving:
            since_ms = own.present.last.timestamp() * 1000
            began = [group.device.topic for group in groups if group.device.first >= since_ms]
            speaks = nearest(topic, began, _LIKE)
            found += [Expected(own, topic, speaks, speaks in readable)] if speaks else []
    return found


def listens_on(own: OwnMachine) -> str:
    """The topic on which a machine's readings are expected, the first of several."""
    return own.machine.feeds[0].topic if own.machine.feeds else reading_topic(*own.key)


def _declared(own: OwnMachine) -> bool:
    return own.machine.offer is not None and own.machine.offer.kind == "declared"
