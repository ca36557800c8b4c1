"""Weeks of the past: as many readings as meant, every one of them accepted, in messages that brokers take."""

import json
from datetime import timedelta
from zoneinfo import ZoneInfo

from fleet.registry import Registry
from fleet.states import NO_STATE
from ingest.decoders import Context, decoder
from simulators.history import ARRAY_BYTES, WEEK_MS, arrays, past, silences, weeks_back
from simulators.plant import plants_of
from simulators.timeline import Timeline, counting_since
from tests.simulators.conftest import NOW, ms

END = ms(NOW)


def test_twelve_weeks_are_more_than_a_million_readings(fleet: Registry) -> None:
    readings = 0
    origin = counting_since(NOW.date(), 12)
    for plant in plants_of(1, fleet):
        _, rows = past(plant, Timeline(plant, origin), END - 12 * WEEK_MS, END, 900_000)
        readings += len(rows)
        assert len(rows) > 0
    assert 1_000_000 < readings < 1_500_000


def test_every_reading_of_the_past_is_accepted(fleet: Registry) -> None:
    context = Context(END, ZoneInfo("Europe/Paris"), None, 1.0)
    decode = decoder("canonical")
    for plant in plants_of(1, fleet)[::5]:
        timeline = Timeline(plant, counting_since(NOW.date()))
        topic, rows = past(plant, timeline, END - WEEK_MS, END, 900_000)
        read = [reading for payload in arrays(rows) for reading in decode(topic, payload, context)]
        assert [reading.at_ms for reading in read] == sorted(reading.at_ms or 0 for reading in read)
        assert len(read) == len(rows)
        assert all((reading.state != NO_STATE) == plant.format.tells_state for reading in read)
        assert topic == f"m/{plant.key.member}/{plant.key.machine}/reading"
    assert not context.notes


def test_pieces_of_a_week_make_the_whole(fleet: Registry) -> None:
    plant = next(plant for plant in plants_of(1, fleet) if plant.imperfections.dropouts_per_week)
    timeline = Timeline(plant, counting_since(NOW.date()))
    start = END - round(2.5 * WEEK_MS)
    pieces = list(weeks_back(start, END))
    assert [last - first for first, last in pieces] == [WEEK_MS, WEEK_MS, WEEK_MS // 2]
    rows = [row for first, last in reversed(pieces) for row in past(plant, timeline, first, last, 900_000)[1]]
    assert rows == past(plant, timeline, start, END, 900_000)[1]


def test_nothing_is_said_while_a_feed_is_silent(fleet: Registry) -> None:
    start, gaps = END - 8 * WEEK_MS, 0
    for plant in plants_of(1, fleet):
        if not plant.imperfections.dropouts_per_week or plant.imperfections.buffers:
            continue
        _, rows = past(plant, Timeline(plant, counting_since(NOW.date())), start, END, 900_000)
        at = [json.loads(row)["at"] for row in rows]
        for begin, end in silences(plant, start, END):
            gaps += 1
            assert not any(begin <= moment < end for moment in at)
    assert gaps > 20


def test_arrays_keep_below_the_limit() -> None:
    rows = [json.dumps({"at": number, "power_w": number / 7}) for number in range(3_000)]
    payloads = list(arrays(rows))
    assert all(len(payload) <= ARRAY_BYTES for payload in payloads)
    assert len(payloads) < 12
    assert [element for payload in payloads for element in json.loads(payload)] == [json.loads(row) for row in rows]
    assert list(arrays([])) == []
    assert [len(json.loads(payload)) for payload in arrays(rows[:3], limit=5)] == [1, 1, 1]


def test_the_end_of_the_past_is_where_life_begins(fleet: Registry) -> None:
    plant = plants_of(1, fleet)[0]
    timeline = Timeline(plant, counting_since(NOW.date()))
    _, rows = past(plant, timeline, ms(NOW - timedelta(hours=5)), END, 900_000)
    assert END - json.loads(rows[-1])["at"] <= 900_000
    assert json.loads(rows[-1])["at"] < END
