""" "Au moins x h dans n semaines sur N" rests on the weeks that the reader may see, and on no others."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from fleet import clock
from fleet.batch import MachineKey
from fleet.consent import View
from gateway.offers import OfferRow, offer_row
from gateway.picture import Picture
from store.base import Store
from tests.gateway import world, world_registry

KEY = MachineKey("alsalac", "cabine-2")
NOW = datetime(2026, 11, 18, 12, tzinfo=UTC)  # a Wednesday
MONDAY = date(2026, 11, 16)


def row(tmp_path: Path, store: Store, hours: Sequence[float | None], since: date) -> OfferRow:
    """The offer of a machine with these shareable hours in its latest complete weeks, seen since that day."""
    fleet = world_registry.write_registry(tmp_path / str(len(list(tmp_path.iterdir()))), clock.now())
    weekly = [
        {
            "monday": (MONDAY - timedelta(weeks=back)).isoformat(),
            "utilisation": 0.4,
            "coverage": 1.0,
            "shareable_hours": h,
        }
        for back, h in zip(range(len(hours), 0, -1), hours, strict=True)
    ]
    picture = Picture(store, fleet, lambda: NOW)
    picture.outlooks[KEY] = world.outlook(NOW).model_copy(
        update={"weekly": weekly, "shareable_hours_per_week": 1.5, "shareable_in_weeks": (20, 24)}
    )
    view = View(exists=True, identity="name", windows=True, probability=True, hours=True, since=since)
    machine = fleet.machine(KEY)
    assert machine is not None
    return offer_row(fleet.members["alsalac"], machine, KEY, view, picture, "x", MONDAY)


async def test_weeks_before_the_consent_count_for_nothing(tmp_path: Path, store: Store) -> None:
    busy_before = [0.0] * 10 + [20.0 + week for week in range(10)]
    assert row(tmp_path, store, busy_before, MONDAY - timedelta(weeks=10)).at_least == (20.0, 10, 10)


async def test_fewer_than_nine_visible_weeks_say_nothing(tmp_path: Path, store: Store) -> None:
    weeks: list[float | None] = [20.0] * 20
    assert row(tmp_path, store, weeks, MONDAY - timedelta(weeks=8)).at_least is None
    assert row(tmp_path, store, weeks, MONDAY - timedelta(days=3)).at_least is None
    assert row(tmp_path, store, weeks, MONDAY - timedelta(weeks=9)).at_least == (20.0, 9, 9)
    assert row(tmp_path, store, [None, *weeks[:8]], MONDAY - timedelta(weeks=9)).at_least is None


async def test_at_most_twelve_weeks_and_hours_never_rounded_up(tmp_path: Path, store: Store) -> None:
    weeks = [0.0] * 8 + [10.9, 10.7, *[30.0] * 10]
    found = row(tmp_path, store, weeks, MONDAY - timedelta(weeks=40))
    assert found.at_least == (10.0, 12, 12)
    assert len(found.weeks) == 12
