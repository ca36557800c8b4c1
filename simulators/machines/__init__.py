"""The kinds of machine that can be simulated: one file each, and one line here."""

from typing import Final

from fleet.network import Trade
from simulators.machines.base import Kind
from simulators.machines.compressor import COMPRESSOR
from simulators.machines.furnace import FURNACE
from simulators.machines.grinding import GRINDER
from simulators.machines.injection import INJECTION_PRESS
from simulators.machines.laser import LASER
from simulators.machines.lathe import LATHE
from simulators.machines.machining_centre import MACHINING_CENTRE
from simulators.machines.paint_booth import PAINT_BOOTH
from simulators.machines.press import PRESS
from simulators.machines.test_bench import TEST_BENCH
from simulators.machines.washing import PARTS_WASHER
from simulators.machines.welding import WELDING_CELL
from simulators.machines.wire_edm import WIRE_EDM

KINDS: Final[tuple[Kind, ...]] = (
    PAINT_BOOTH,
    MACHINING_CENTRE,
    LATHE,
    LASER,
    PRESS,
    FURNACE,
    TEST_BENCH,
    COMPRESSOR,
    WELDING_CELL,
    WIRE_EDM,
    PARTS_WASHER,
    INJECTION_PRESS,
    GRINDER,
)

_BY_TRADE: Final = {kind.trade: kind for kind in KINDS}


def kind_for(trade: Trade) -> Kind:
    """The kind that stands for a trade; a trade without one of its own (``other``) behaves as a machining centre."""
    return _BY_TRADE.get(trade, MACHINING_CENTRE)
