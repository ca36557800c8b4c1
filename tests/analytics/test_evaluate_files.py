"""Readers of users' files: what is united, ignored and counted, and errors that name line, field and rule."""

import gzip
from pathlib import Path

import numpy as np
import pytest

from analytics.evaluate import grid
from analytics.evaluate.files import (
    read_intervals,
    read_observed,
    read_readings,
    silence_notes,
    timelines,
)
from analytics.evaluate.grid import Grid
from analytics.evaluate.rows import FileProblem
from fleet.batch import NO_INT
from fleet.states import FAULT, NO_STATE, PRODUCING, STANDBY

DAY = 1_772_409_600.0  # 2026-03-02T00:00:00Z


def file(folder: Path, *lines: str, name: str = "f.csv") -> Path:
    path = folder / name
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def test_overlaps_are_united_empty_ones_ignored_and_both_counted(tmp_path: Path) -> None:
    path = file(
        tmp_path,
        "note,Machine,start,end",
        "x,saw,2026-03-02T00:00:00Z,2026-03-02T02:00:00Z",
        "x,saw,2026-03-02T01:00:00Z,2026-03-02T03:00:00Z",
        "x,saw,2026-03-02T05:00:00Z,2026-03-02T05:00:00Z",
        "",
        "x,mill,2026-03-02T09:00:00Z,2026-03-02T09:00:00Z",
    )
    found = read_intervals(path)
    assert found.machines == ["mill", "saw"]
    assert (found.of("saw") - DAY).tolist() == [[0, 10_800]]
    assert len(found.of("mill")) == 0
    assert (found.rows, found.empty, found.overlapping) == (4, 2, 1)
    assert [note.split(": ")[1] for note in found.notes()] == [
        "2 of 4 intervals are empty; they were ignored",
        "1 of 4 intervals overlap; they were united",
    ]


def test_a_row_has_at_most_a_thousand_commas_however_many_lines_it_has(tmp_path: Path) -> None:
    row = "saw,2026-03-02T00:00Z,2026-03-02T01:00Z"
    wide = f"{row}{',' * 998}"
    assert read_intervals(file(tmp_path, "machine,start,end", wide, wide)).rows == 2
    for line, lines in ((3, [wide, f"{wide},"]), (1004, [row, '"\n",' * 1001])):
        with pytest.raises(FileProblem, match=f"f.csv, line {line}: more than 1,000 commas in one row"):
            read_intervals(file(tmp_path, "machine,start,end", *lines))


def test_many_machines_over_many_years_are_refused_before_they_take_all_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [f"{number},2026-03-02T00:00Z,2026-03-08T23:00Z" for number in range(3)]
    lines = timelines(read_intervals(file(tmp_path, "machine,start,end", *rows)), None)
    monkeypatch.setattr(grid, "MOST_HOURS", 3 * 168)
    assert Grid.of(lines, "UTC").busy.shape == (3, 168)
    monkeypatch.setattr(grid, "MOST_HOURS", 3 * 168 - 1)
    with pytest.raises(ValueError, match="3 machines over 168 hours are 504 hours of machines: more than 503"):
        Grid.of(lines, "UTC")


def test_times_without_an_offset_are_local_to_the_timezone(tmp_path: Path) -> None:
    path = file(tmp_path, "machine,start,end", "saw,2026-03-02 06:00,2026-03-02T06:00:00+00:00")
    assert read_intervals(path, "Europe/Paris").of("saw").tolist() == [[DAY + 5 * 3600, DAY + 6 * 3600]]


def test_states_decide_busy_used_and_observed(tmp_path: Path) -> None:
    path = file(
        tmp_path,
        "machine,start,end,state",
        "saw,2026-03-02T00:00Z,2026-03-02T01:00Z,",
        "saw,2026-03-02T01:00Z,2026-03-02T02:00Z,fault",
        "saw,2026-03-02T02:00Z,2026-03-02T03:00Z,STANDBY",
        "saw,2026-03-02T03:00Z,2026-03-02T04:00Z,UNKNOWN",
        "saw,2026-03-02T04:00Z,2026-03-02T05:00Z,SETUP",
    )
    found = read_intervals(path)
    assert set(found.spans["saw"]) == {PRODUCING, FAULT, STANDBY, 6, 1}
    line = timelines(found, None)["saw"]
    hours = [((spans - DAY) / 3600).tolist() for spans in line]
    assert hours == [[[0, 2], [4, 5]], [[0, 1], [4, 5]], [[0, 3], [4, 5]]]


def test_observed_time_bounds_everything_and_brings_machines_that_never_ran(tmp_path: Path) -> None:
    busy = read_intervals(file(tmp_path, "machine,start,end", "saw,2026-03-02T00:00Z,2026-03-02T04:00Z"))
    alive = read_observed(
        file(
            tmp_path,
            "machine,start,end",
            "*,2026-03-02T02:00Z,2026-03-02T06:00Z",
            "idle,2026-03-02T08:00Z,2026-03-02T09:00Z",
            name="observed.csv",
        )
    )
    lines = timelines(busy, alive)
    assert list(lines) == ["idle", "saw"]
    assert ((lines["saw"].busy - DAY) / 3600).tolist() == [[2, 4]]
    assert ((lines["saw"].observed - DAY) / 3600).tolist() == [[2, 6]]
    assert ((lines["idle"].observed - DAY) / 3600).tolist() == [[2, 6], [8, 9]]


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (("machine,start",), "line 1: no column end; found 'machine, start'"),
        (
            ("machine;start;end",),
            "no column machine, start, end; found 'machine;start;end'; columns are separated by commas",
        ),
        (("machine\tstart\tend",), "by commas, not by tabs"),
        (("saw,2026-03-02T00:00Z,2026-03-02T01:00Z",), "the first line names the columns"),
        (
            ("machine,start,end", "saw,2026-03-02T00:00Z,2026-03-02T01:00Z,x"),
            "line 2: 4 values for 3 columns; a comma inside a value needs quotes",
        ),
        (("machine,start,end,Start", "saw,1,2,3"), "line 1: column 'start' stands twice"),
        (
            ("machine,start,end", "s\0w,2026-03-02T00:00Z,2026-03-02T01:00Z"),
            "line 2: machine 's\\x00w': a machine's name",
        ),
        (("machine,start,end", f"{'m' * 201},2026-03-02T00:00Z,2026-03-02T01:00Z"), "has at most 200 characters"),
        (
            ("machine,start,end", "saw,0001-01-01T00:00:00,0001-01-02T00:00:00"),
            "line 2: start '0001-01-01T00:00:00': not",
        ),
        (("machine,start,end", "saw,2026-03-02T00:00,9999-12-31T23:00:00"), "not between the years 1970 and 2200"),
        (("machine,start,end", ",2026-03-02T00:00Z,2026-03-02T01:00Z"), "line 2: machine is empty"),
        (("machine,start,end", "saw,2026-03-02T00:00Z"), "line 2: end is empty"),
        (("machine,start,end", "saw,yesterday,2026-03-02T00:00Z"), "line 2: start 'yesterday': not an ISO 8601 time"),
        (("machine,start,end", "saw,2026-03-02,2026-03-03"), "line 2: start '2026-03-02': not an ISO 8601 time"),
        (
            ("machine,start,end", "saw,2026-03-02T02:00Z,2026-03-02T01:00Z"),
            "line 2: end 2026-03-02T01:00Z is before start 2026-03-02T02:00Z",
        ),
        (
            ("machine,start,end,state", "saw,2026-03-02T00:00Z,2026-03-02T01:00Z,BUSY"),
            "line 2: state 'BUSY': not a state; one of PRODUCING",
        ),
        (("machine,start,end",), "no interval of any length"),
        ((), "line 1: no column machine, start, end: the line, or the file, is empty"),
        (("machine,start,end", '"saw,2026-03-02T00:00Z'), "not CSV"),
    ],
)
def test_errors_name_line_field_and_rule(tmp_path: Path, lines: tuple[str, ...], message: str) -> None:
    with pytest.raises(FileProblem) as caught:
        read_intervals(file(tmp_path, *lines))
    assert message in str(caught.value)
    assert "f.csv" in str(caught.value)


def test_what_is_told_of_time_that_was_not_observed(tmp_path: Path) -> None:
    busy = read_intervals(
        file(
            tmp_path,
            "machine,start,end",
            "saw,2026-03-02T00:00Z,2026-03-02T04:00Z",
            "mill,2026-03-03T00:00Z,2026-03-03T12:00Z",
            "saw,2026-03-12T00:00Z,2026-03-12T02:30Z",
        )
    )
    idle, quiet = silence_notes(busy, None)
    assert "silence was taken as idle" in idle
    assert "no machine has an interval from 2026-03-03 to 2026-03-12 (8 days); it counts as idle" in quiet
    alive = file(tmp_path, "machine,start,end", "saw,2026-03-02T02:00Z,2026-03-12T02:00Z", name="observed.csv")
    unseen, outside = silence_notes(busy, read_observed(alive))
    assert unseen == "observed.csv: never observed, so nothing is said of 1 machines: mill"
    assert "14.5 h of intervals lie outside the observed time" in outside
    whole = file(tmp_path, "machine,start,end", "*,2026-03-02T00:00Z,2026-03-13T00:00Z", name="observed.csv")
    assert silence_notes(busy, read_observed(whole)) == []


def test_a_local_time_that_the_clocks_skip_is_refused_and_one_they_repeat_is_the_first(tmp_path: Path) -> None:
    skipped = file(tmp_path, "machine,start,end", "saw,2026-03-29T02:30,2026-03-29T05:00")
    with pytest.raises(FileProblem, match=r"line 2: start '2026-03-29T02:30': the clocks of Europe/Paris skip"):
        read_intervals(skipped, "Europe/Paris")
    assert read_intervals(skipped, "UTC").rows == 1
    repeated = file(tmp_path, "machine,start,end", "saw,2026-10-25T02:30,2026-10-25T03:00")
    found = read_intervals(repeated, "Europe/Paris").of("saw")
    assert (found[0, 1] - found[0, 0]) / 3600 == 1.5


def test_what_cannot_be_read_at_all(tmp_path: Path) -> None:
    with pytest.raises(FileProblem, match="cannot be read"):
        read_intervals(tmp_path / "absent.csv")
    binary = tmp_path / "binary.csv"
    for content, said in (
        (b"machine,start,end\n\xff\xfe", r"not UTF-8 text \(byte 18\); save it as UTF-8"),
        (gzip.compress(b"machine,start,end\n"), "compressed .gzip.: unpack it first"),
        ("machine,start,end\n".encode("utf-16"), "it is UTF-16"),
        (b"PK\x03\x04\xff", "a spreadsheet: save it as CSV"),
    ):
        binary.write_bytes(content)
        with pytest.raises(FileProblem, match=said):
            read_intervals(binary)
    with pytest.raises(FileProblem, match="timezone 'Mars/Olympus'"):
        read_intervals(binary, "Mars/Olympus")


def test_readings_are_columns_by_machine_and_time(tmp_path: Path) -> None:
    path = file(
        tmp_path,
        "machine,at,power_w,count,state,label",
        "saw,2026-03-02T00:00:00.250Z,,12,,",
        "mill,2026-03-02T00:01Z,1500.5,,PRODUCING,standby",
        "mill,2026-03-02T00:00Z,20,,,",
    )
    found = read_readings(path)
    assert found.machines == ("mill", "saw")
    assert found.machine.tolist() == [0, 0, 1]
    assert (found.at_ms - int(DAY) * 1000).tolist() == [0, 60_000, 250]
    np.testing.assert_equal(found.power_w, [20.0, 1500.5, np.nan])
    assert found.count.tolist() == [NO_INT, NO_INT, 12]
    assert found.state.tolist() == [NO_STATE, PRODUCING, NO_STATE]
    assert found.label.tolist() == [NO_STATE, STANDBY, NO_STATE]


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("saw,2026-03-02T00:00Z,,", "line 2: no quantity"),
        ("saw,2026-03-02T00:00Z,NaN,", "line 2: power_w 'NaN': not a finite number"),
        ("saw,2026-03-02T00:00Z,,1.5", "line 2: count '1.5': a counter is a whole number"),
        ("saw,2026-03-02T00:00Z,,1e30", "line 2: count '1e30': a counter is a whole number of 64 bits"),
        ("saw,2026-03-02T00:00Z,low,", "line 2: power_w 'low'"),
    ],
)
def test_errors_of_readings(tmp_path: Path, row: str, message: str) -> None:
    with pytest.raises(FileProblem) as caught:
        read_readings(file(tmp_path, "machine,at,power_w,count", row))
    assert message in str(caught.value)
