"""What one member's machines teach cannot be read back in another member's chances (``docs/consent.md``)."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from analytics.outlook import Live
from analytics.refresh import Seat, refresh
from analytics.report import rows
from fleet.network import Trade
from fleet.records import HourBucket
from fleet.registry import Registry
from fleet.states import PRODUCING, STANDBY
from store import Store, connect
from tests.analytics.machines import NETWORK, hours, local, machine, member, mornings

NOW = local(2026, 9, 9, 10)
OWN = member(machine(trade=Trade.PAINT), machine(id="booth", trade=Trade.PAINT))
OTHER = member(machine(trade=Trade.PAINT), machine(id="booth", trade=Trade.PAINT), slug="zeta", name="Zeta")
"""Two members whose machines bear the same names and are of one trade."""


def random_history(seed: int, weeks: int = 12, name: str = "mill") -> list[HourBucket]:
    random = np.random.default_rng(seed)
    share = random.random()

    def state(_: datetime) -> int:
        return PRODUCING if random.random() < share else STANDBY

    return [replace(one, member="zeta") for one in hours(NOW - timedelta(weeks=weeks), NOW, state, name)]


def own_history(weeks: float) -> list[HourBucket]:
    return hours(NOW - timedelta(weeks=weeks), NOW, mornings) if weeks else []


def told(buckets: list[HourBucket]) -> list[str]:
    """Outlooks and findings of the member's machines, byte for byte."""
    seats = [Seat(one, Live("STANDBY", NOW, NOW), True, True, {}) for one in OWN.machines]
    return [
        "\n".join([one.outlook.model_dump_json(), *(finding.model_dump_json() for finding in one.findings)])
        for one in refresh(OWN, NETWORK, seats, buckets, NOW)
    ]


@pytest.mark.parametrize("weeks", [0, 1, 12])
def test_anothers_history_moves_no_byte_of_an_outlook(weeks: float) -> None:
    """Also of a machine that leans on its trade, beside one of another member of the same trade and name."""
    alone = told(own_history(weeks))
    for seed in range(4):
        assert told(own_history(weeks) + random_history(seed) + random_history(seed + 9, name="booth")) == alone
    assert told(own_history(weeks) + [replace(one, member="acme") for one in random_history(1, name="booth")]) != alone


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    opened = connect(f"duckdb://{tmp_path}/store.duckdb")
    await opened.open()
    yield opened
    await opened.close()


@pytest.mark.parametrize("weeks", [0, 12])
async def test_anothers_history_moves_no_byte_of_the_report(store: Store, weeks: float) -> None:
    fleet = Registry(Path(), NETWORK, {"acme": OWN, "zeta": OTHER})
    if weeks:
        await store.write_hours(own_history(weeks))
    reports = []
    for seed in (1, 2):
        await store.write_hours(random_history(seed, 13))
        reports.append(await rows(store, fleet, NOW - timedelta(weeks=4), NOW, NOW))
    mine = [[row for row in report if row["member"] == "acme"] for report in reports]
    assert repr(mine[0]) == repr(mine[1])
    assert mine[0][0]["chance_basis"]["trade_share"] == pytest.approx(1.0 if not weeks else 0.2, abs=0.03)
    others = [[row for row in report if row["member"] == "zeta"] for report in reports]
    assert repr(others[0]) != repr(others[1])
