"""Filters, distances, order and promises: what the rows of offers rest on."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from starlette.datastructures import QueryParams

from fleet.network import Mode, Trade
from gateway import attributes
from gateway.filters import Wanted, fit, read_wanted, surest
from gateway.matching import matches
from gateway.need import Need
from gateway.offers import OfferRow, promises
from gateway.picture import Progress
from gateway.places import Position, kilometres
from gateway.publish import Class, Window
from gateway.words import words

FR = words("fr", "Europe/Paris")
DAY = date(2026, 11, 23)
HAGUENAU, SAVERNE = Position(48.82, 7.78), Position(48.74, 7.36)
BOOTH = {"length_m": 7.0, "width_m": 3.5, "height_m": 3.0}


def window(ahead: int, chance: Class, hours: float = 8.0) -> Window:
    start = datetime(2026, 11, 23, 6, tzinfo=UTC) + timedelta(days=ahead)
    return Window(start=start, end=start + timedelta(hours=10), hours=hours, chance=chance)


def offer(name: str = "a", **changes: object) -> OfferRow:
    row = OfferRow(
        id=name,
        trade=Trade.PAINT,
        commune="Haguenau",
        mode=Mode.TOLL,
        kind="measured",
        member=None,
        machine=None,
        contact=None,
        note=None,
        attributes={},
        windows=(window(3, 9),),
        hours=8.0,
        since=DAY,
        new=False,
        progress=Progress(),
        position=HAGUENAU,
    )
    return replace(row, **changes)  # type: ignore[arg-type]  # fields of OfferRow


def test_distance_is_the_haversine_and_unknown_when_a_place_is() -> None:
    assert kilometres(HAGUENAU, HAGUENAU) == 0
    assert kilometres(HAGUENAU, SAVERNE) == 32
    assert kilometres(Position(0, 0), Position(0, 180)) == 20015
    assert kilometres(HAGUENAU, None) is None


def test_most_sure_hours_come_first_and_equal_ones_by_distance() -> None:
    rows = [
        offer("two-thirds", windows=(window(3, 6), window(4, 6), window(5, 6))),
        offer("declared", kind="declared", windows=(), hours=24.0),
        offer("far", windows=(window(3, 9),), position=SAVERNE),
        offer("near", windows=(window(3, 9),)),
        offer("nothing", windows=(), hours=0.0),
        offer("sure", windows=(window(3, 9), window(4, 9))),
        offer("eight", windows=(window(3, 9), window(4, 8))),
    ]
    fits = [found for row in rows if (found := fit(row, Wanted(), HAGUENAU, FR))]
    order = [one.offer.id for one in surest(fits)]
    assert order == ["sure", "eight", "near", "far", "two-thirds", "declared", "nothing"]


def test_a_farther_offer_is_left_out_and_an_unknown_place_is_to_be_verified() -> None:
    wanted = Wanted(km=20)
    assert fit(offer(), wanted, HAGUENAU, FR) is not None
    assert fit(offer(position=SAVERNE), wanted, HAGUENAU, FR) is None
    unknown = fit(offer(position=None), wanted, HAGUENAU, FR)
    assert unknown is not None
    assert unknown.verify == ("distance",)


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ("6 x 3", True),
        ("3x6", True),
        ("6 × 3 × 2,5 m", True),
        ("6 x 3 x 3.5", False),
        ("8 x 3", False),
        ("7", True),
        ("7,1", False),
    ],
)
def test_a_part_may_be_turned_but_not_laid(asked: str, expected: bool) -> None:
    assert attributes.takes(BOOTH, attributes.size(asked)) is expected


def test_what_is_not_known_never_excludes() -> None:
    assert attributes.takes({}, (6.0, 3.0)) is None
    assert attributes.takes({"length_m": 7.0}, (6.0, 3.0)) is None
    assert attributes.takes({"length_m": 2.0}, (6.0, 3.0)) is False
    assert attributes.takes({"length_mm": 7000.0, "width_mm": 3500.0}, (6.0, 3.0)) is True
    assert attributes.takes({"length_m": 7.0, "width_m": 3.5}, (6.0, 3.0, 2.0)) is None
    assert attributes.takes({**BOOTH, "door": "3 x 3"}, (6.0, 3.0)) is None


@pytest.mark.parametrize("text", ["", "x", "6 x", "6 x -3", "nan x 2", "inf", "1x2x3x4", "six"])
def test_sizes_that_cannot_be_read_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        attributes.size(text)


@pytest.mark.parametrize(
    ("name", "least", "expected"),
    [
        ("oven_c", "80", True),
        ("oven_c", "80,5", False),
        ("oven_c", "", True),
        ("oven_c", "chaud", False),
        ("paint", "liqui", True),
        ("paint", "poudre", False),
        ("atex", "oui", True),
        ("atex", "non", False),
        ("crane_t", "5", None),
        ("tonnage_t", "100", False),  # has no meaning for a paint booth
    ],
)
def test_attributes_reach_contain_or_are_unknown(name: str, least: str, expected: bool | None) -> None:
    booth: dict[str, str | float | bool] = {"oven_c": 80.0, "paint": "liquide", "atex": True}
    assert attributes.answers(booth, Trade.PAINT, name, least, FR) is expected


def test_filters_that_cannot_be_read_are_named_and_left_aside() -> None:
    query = QueryParams("hours=inf&km=-3&first=demain&size=grand&trade=magie&last=2026-12-01&km=nan")
    wanted = read_wanted(query, FR)
    assert len(wanted.problems) == 5
    assert wanted == Wanted(last=date(2026, 12, 1), problems=wanted.problems)


def test_promises_are_counted_by_their_day_alone() -> None:
    def said(status: str, day: str = "") -> OfferRow:
        return offer(progress=Progress.model_validate({"status": status, "job_day": day}))

    assert promises([offer(), said("talking"), said("refused", "2026-11-01")], DAY).due == 0
    counted = promises(
        [
            said("done"),
            said("done", "2026-11-20"),
            said("reserved", "2026-11-22"),
            said("reserved", "2026-11-23"),
            said("reserved"),
        ],
        DAY,
    )
    assert (counted.kept, counted.due, counted.undated) == (2, 3, 1)


def need(**changes: object) -> Need:
    wanted = {"id": "1", "trade": "paint", "hours": 16, "before": "2026-12-04", "created": datetime.now(UTC), **changes}
    return Need.model_validate(wanted)


def test_a_need_adds_up_likely_hours_until_its_date() -> None:
    two = offer(windows=(window(3, 9), window(5, 6)))
    assert [match.hours for match in matches(need(), [two], None, FR)] == [16]
    assert matches(need(hours=17), [two], None, FR) == []
    assert matches(need(before="2026-11-27"), [two], None, FR) == []
    assert matches(need(trade="laser"), [two], None, FR) == []
    assert matches(need(), [replace(two, progress=Progress(status="refused"))], None, FR) == []


def test_a_need_is_served_by_what_is_certain_before_what_is_to_be_verified() -> None:
    rows = [
        offer("declared", kind="declared", windows=(), attributes=BOOTH),
        offer("unknown", windows=(window(3, 9), window(4, 9), window(5, 9))),
        offer("known", windows=(window(3, 9), window(5, 6)), attributes=BOOTH),
        offer("small", windows=(window(3, 9), window(5, 6)), attributes={"length_m": 2.0}),
        offer("far", windows=(window(3, 9), window(5, 6)), attributes=BOOTH, position=SAVERNE),
    ]
    found = matches(need(size=(6, 3), commune="Haguenau", km=20), rows, HAGUENAU, FR)
    assert [(match.offer.id, match.verify) for match in found] == [
        ("known", ()),
        ("unknown", ("dimensions",)),
        ("declared", ("créneau",)),
    ]
