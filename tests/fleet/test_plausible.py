"""Powers that cannot be what they say, by what the owner told, else by the trade."""

import pytest

from fleet.network import Trade
from fleet.plausible import PowerDoubt, doubt


@pytest.mark.parametrize(
    ("trade", "own_w", "highest_w", "found"),
    [
        (Trade.PAINT, 45_000, 30_000, None),
        (Trade.PAINT, 45_000, 30, PowerDoubt("kilowatts", True, 30, 45_000)),
        (Trade.PAINT, 45_000, 30_000_000, PowerDoubt("impossible", True, 30_000_000, 45_000)),
        (Trade.PAINT, None, 30, PowerDoubt("kilowatts", False, 30, 18_000)),
        (Trade.PAINT, None, 300, None),
        (Trade.PAINT, None, 3_000_000, PowerDoubt("impossible", False, 3_000_000, 18_000)),
        (Trade.OTHER, None, 30, None),
        (Trade.OTHER, None, 3_000_000, PowerDoubt("impossible", False, 3_000_000, 10_000)),
        (Trade.PAINT, 45_000, None, None),
        (Trade.PAINT, 45_000, 0, None),
    ],
)
def test_a_power_is_doubted_by_what_is_known(
    trade: Trade, own_w: float | None, highest_w: float | None, found: PowerDoubt | None
) -> None:
    assert doubt(trade, own_w, highest_w) == found
