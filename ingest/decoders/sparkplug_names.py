"""Which metric of a Sparkplug node or device is which quantity of a machine: what a feed's ``channel`` says."""

from functools import lru_cache
from typing import Final, NamedTuple

from ingest.decoders.base import DecodeError


class Quantity(NamedTuple):
    """Where a metric goes: a column of a reading (or ``metrics.<name>``), and the factor to its unit."""

    column: str
    scale: float = 1.0


QUANTITIES: Final = {
    "state": Quantity("state"),
    "utilisation": Quantity("utilisation"),
    "utilisation_percent": Quantity("utilisation", 0.01),
    "power_w": Quantity("power_w"),
    "power_kw": Quantity("power_w", 1000.0),
    "energy_wh": Quantity("energy_wh"),
    "energy_kwh": Quantity("energy_wh", 1000.0),
    "count": Quantity("counter"),
}
"""What may stand before ``=`` in a channel."""

_USUAL: Final = {
    "state": ("state", "machinestate", "execution"),
    "utilisation": ("utilisation", "utilization"),
    "power_w": ("power", "powerw", "activepower", "activepowerw"),
    "power_kw": ("powerkw", "activepowerkw"),
    "energy_wh": ("energywh", "activeenergywh"),
    "energy_kwh": ("energykwh", "activeenergykwh"),
    "count": ("count", "counter", "partcount", "partscount", "piececount"),
}
_BY_NAME: Final = {spelling: QUANTITIES[name] for name, spellings in _USUAL.items() for spelling in spellings}
_PART: Final = "metrics."
_RULE: Final = (
    f"a folder of metrics, or pairs such as power_w=Line/Power;state=Line/State with {', '.join(QUANTITIES)} or"
    " metrics.<name> before the equals sign"
)


class Mapping:
    """Finds the quantity of a metric by its full name.

    Without a channel the last part of the name counts (``Line 1/Active Power``), in any spelling of the usual names;
    with a folder as channel, only for metrics below it; with pairs, the named metrics alone.
    """

    def __init__(self, channel: str | None) -> None:
        self.pairs: dict[str, Quantity] | None = None
        self.folder = ""
        if channel is not None and "=" in channel:
            self.pairs = dict(_pair(part, channel) for part in channel.split(";") if part.strip())
        elif channel:
            self.folder = channel.strip("/") + "/"

    def find(self, name: str) -> Quantity | None:
        """The quantity that a metric is; None when it is none."""
        if self.pairs is not None:
            return self.pairs.get(name)
        if not name.startswith(self.folder):
            return None
        last = name.rsplit("/", 1)[-1]
        return _BY_NAME.get("".join(letter for letter in last.lower() if letter.isalnum()))

    @property
    def wanted(self) -> str:
        """What it looks for, for people."""
        if self.pairs is not None:
            return f"one of {', '.join(self.pairs)}"
        return f"a metric named {self.folder}... after one of {', '.join(_USUAL)}, or a channel that names the metrics"


def _pair(part: str, channel: str) -> tuple[str, Quantity]:
    quantity, _, name = part.strip().partition("=")
    quantity, name = quantity.strip(), name.strip()
    if not name or (quantity not in QUANTITIES and not quantity[len(_PART) :]):
        raise DecodeError("channel", "channel", channel, _RULE)
    if quantity in QUANTITIES:
        return name, QUANTITIES[quantity]
    if not quantity.startswith(_PART):
        raise DecodeError("channel", "channel", channel, _RULE)
    return name, Quantity(quantity)


@lru_cache(maxsize=4096)
def mapping(channel: str | None) -> Mapping:
    """The mapping of a feed's channel.

    Raises:
        DecodeError: a pair without a quantity or a name.
    """
    return Mapping(channel)
