"""What an encoder is: the reverse of a decoder, so that a simulated device speaks as the real one does."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple
from zoneinfo import ZoneInfo

from fleet.network import Feed

Message = tuple[str, bytes]
"""Topic and payload."""


class Sample(NamedTuple):
    """One instant of one machine as its meter reads it.

    Attributes:
        at_ms: by the device's clock, epoch ms.
        state: name of the state.
        power_w, energy_wh: watts, and the monotone counter in watt-hours.
        counter: monotone counter of pieces or cycles.
        seq, boot: of devices that number what they send.
    """

    at_ms: int
    state: str
    power_w: float
    energy_wh: float
    counter: int
    seq: int | None = None
    boot: int | None = None


@dataclass(frozen=True, slots=True)
class Format:
    """A wire format.

    Attributes:
        name: as it stands in a feed's ``format``.
        tells_state, tells_count, tells_energy: whether its payload carries them; all carry the power.
        dated: whether its payload carries the device's time.
        numbered: whether its payload carries ``seq`` and ``boot``.
        feed: member, machine -> the feed that a registry needs for it.
        encode: feed, sample, the device's time zone -> the messages of that instant: one, or one a quantity. Power goes
            out in the feed's unit.
        heard_as: states that the format has no word of its own for, and what they are heard as.
    """

    name: str
    tells_state: bool
    tells_count: bool
    tells_energy: bool
    dated: bool
    feed: Callable[[str, str], Feed]
    encode: Callable[[Feed, Sample, ZoneInfo], list[Message]]
    heard_as: Mapping[str, str] = field(default_factory=dict)
    numbered: bool = False

    def heard(self, state: str) -> str:
        """The state that a collector makes of what is sent in this state."""
        return self.heard_as.get(state, state)
