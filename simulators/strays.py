"""Devices that are connected but belong to no machine: the pages have something to claim, and something to mend."""

import json
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

from fleet.topics import SLUG
from simulators.formats import FORMATS, Message
from simulators.formats.base import Sample

EVERY_MS: Final = 15_000
_CYCLE_S: Final = 360
_STANDBY_S: Final = 120
"""A washing machine's cycle: it stands ready for two minutes, then works for four."""
_STANDBY_W, _WORKING_W, _RIPPLE_W = 310.0, 14_200.0, 900
_Device = Callable[[str, int, ZoneInfo], Message]


class Strays:
    """A Tasmota plug on a washing machine at one member, a home-made counter that sends its unit as text at another.

    They are the first two by name, which stand first where a visitor of the demo chooses.
    """

    def __init__(self, members: Sequence[str], from_ms: int, zone: ZoneInfo) -> None:
        chosen = sorted(members)[:2]
        self._devices = [pair for pair in zip(chosen, (_plug, _counter), strict=False) if SLUG.fullmatch(pair[0])]
        self._zone = zone
        self._next_ms = from_ms

    @property
    def next_ms(self) -> int:
        """Wall time at which they speak next, epoch ms."""
        return self._next_ms if self._devices else 2**62

    def speak(self, now_ms: int) -> list[Message]:
        """What they send, if it is time."""
        if now_ms < self.next_ms:
            return []
        self._next_ms = now_ms + EVERY_MS
        return [device(member, now_ms, self._zone) for member, device in self._devices]


def _plug(member: str, now_ms: int, zone: ZoneInfo) -> Message:
    """Local time without an offset, as Tasmota sends it; the counter rises by what the machine draws on average."""
    into_s = now_ms // 1000 % _CYCLE_S
    power = _STANDBY_W if into_s < _STANDBY_S else _WORKING_W + now_ms // 1000 % _RIPPLE_W
    share = (_STANDBY_S * _STANDBY_W + (_CYCLE_S - _STANDBY_S) * _WORKING_W) / _CYCLE_S
    since = datetime(datetime.fromtimestamp(now_ms / 1000, zone).year, 1, 1, tzinfo=zone)
    energy = share * (now_ms / 1000 - since.timestamp()) / 3600
    wire = FORMATS["tasmota"]
    sample = Sample(now_ms, "", power, energy, 0)
    return wire.encode(wire.feed(member, "prise-laveuse"), sample, zone)[0]


def _counter(member: str, now_ms: int, zone: ZoneInfo) -> Message:
    del zone
    payload = {"puissance": f"{(2_000 + now_ms % 700) / 1000:.3f} kW", "unite": "triphase"}
    return f"m/{member}/atelier/pinces/compteur", json.dumps(payload).encode()
