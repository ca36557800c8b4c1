"""Whom the collector names: floods of readings and of what is refused, never a backlog, for a minute."""

from fleet.batch import MachineKey, ReadingBatch, empty_rows
from ingest.decoders.base import Fault
from ingest.rejects import Reject
from ingest.report import Report
from ingest.work import Work

NOW = 1_795_000_000_000
HOUR = 3_600_000


def sent(report: Report, member: str, count: int, *, age_ms: int = 0) -> None:
    rows = empty_rows(count)
    rows["arrived_ms"] = NOW
    rows["at_ns"] = (NOW - age_ms) * 1_000_000
    report.batch(ReadingBatch((MachineKey(member, "saw"),), rows))


def names(report: Report) -> list[str]:
    return [one["member"] for one in report.flooders]


def beat(report: Report, *loud: str) -> None:
    report.beat(0, 2.0, loud)


def test_who_went_apart_is_named_with_rate_and_share() -> None:
    report = Report()
    sent(report, "ash", 3000)
    sent(report, "oak", 1000)
    beat(report, "ash")
    assert report.flooders == [{"member": "ash", "rate": 1500.0, "share": 0.75, "apart": True}]


def test_what_is_refused_is_a_flood_too() -> None:
    report = Report()
    sent(report, "oak", 20)
    refused = Reject("ash", "saw", "m/ash/saw/reading", NOW, (Fault("json", "", "", "JSON"),), b"{")
    report.kept(Work(rejects=[refused] * 2000))
    beat(report)
    assert names(report) == ["ash"]
    assert report.flooders[0]["apart"] is False


def test_a_backlog_is_none_and_readings_among_it_are() -> None:
    report = Report()
    sent(report, "oak", 20)
    sent(report, "ash", 5000, age_ms=2 * HOUR)
    beat(report, "ash")
    assert names(report) == []
    sent(report, "oak", 20)
    sent(report, "ash", 1000, age_ms=2 * HOUR)
    sent(report, "ash", 3000)
    beat(report, "ash")
    assert names(report) == ["ash"]


def test_who_went_apart_for_the_last_of_a_backlog_and_sends_little_is_none() -> None:
    report = Report()
    sent(report, "oak", 20)
    sent(report, "ash", 2)
    beat(report, "ash")
    assert names(report) == []


def test_it_is_named_for_a_minute() -> None:
    report = Report()
    sent(report, "ash", 3000)
    sent(report, "oak", 20)
    beat(report, "ash")
    for _ in range(29):
        beat(report)
    assert names(report) == ["ash"]
    beat(report)
    assert names(report) == []
