"""Files of recordings: every row is used, united, empty or refused with its reason; unions are exact."""

from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet.states import FAULT, OFF, PRODUCING, SETUP, STANDBY, STATE_CODE
from simulators.recording import Interval, Measured, Name, RecordingError, read
from simulators.union import told, unite

RANK = [PRODUCING, SETUP, FAULT, STANDBY, OFF]


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def test_intervals_with_zones_states_and_other_columns(tmp_path: Path) -> None:
    text = (
        "note,machine,start,end,state\n"
        "a,Saw 1,2026-03-02T07:00:00+01:00,2026-03-02T08:00:00+01:00,\n"
        "b,Saw 1,2026-03-02 07:00:00,2026-03-02 07:30:00,fault\n"
        "c,Saw 1,2026-03-02T07:00:00Z,2026-03-02T07:00:00Z,SETUP\n"
    )
    found = read(write(tmp_path / "i.csv", text), "Europe/Paris")
    assert found.rows == 3
    assert (found.empty, found.refused) == (1, 0)
    start = 1_772_431_200_000
    assert found.intervals == {
        Name("", "Saw 1"): [
            Interval(start, start + 3_600_000, PRODUCING),
            Interval(start, start + 1_800_000, FAULT),
        ]
    }


def test_a_column_of_members_names_them(tmp_path: Path) -> None:
    text = "member,machine,start,end,state\natelier,atelier/presse-1,2026-03-02T07:00:00Z,2026-03-02T08:00:00Z,OFF\n"
    assert read(write(tmp_path / "i.csv", text)).names == [Name("atelier", "presse-1")]


def test_readings_with_any_quantity(tmp_path: Path) -> None:
    text = (
        "machine,at,power_w,count,state,label\n"
        "mill,2026-03-02T07:00:00Z,1500.5,,,PRODUCING\n"
        "mill,2026-03-02T07:05:00Z,,12,standby,\n"
        "mill,2026-03-02T07:10:00Z,0,12.0,,\n"
    )
    start = 1_772_434_800_000
    assert read(write(tmp_path / "r.csv", text)).readings == {
        Name("", "mill"): [
            Measured(start, 1500.5, None, None),
            Measured(start + 300_000, None, 12, "STANDBY"),
            Measured(start + 600_000, 0.0, 12, None),
        ]
    }


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("mill,yesterday,1,,", "at = 'yesterday': ISO 8601"),
        ("mill,2026-03-02T07:00:00Z,NaN,,", "power_w = 'NaN': a finite number"),
        ("mill,2026-03-02T07:00:00Z,-3,,", "power_w = '-3': at least 0 watts"),
        ("mill,2026-03-02T07:00:00Z,,1.5,", "count = '1.5': a whole number"),
        ("mill,2026-03-02T07:00:00Z,,1e30,", "count = '1e30': a whole number"),
        ("mill,2026-03-02T07:00:00Z,,,IDLE", "state = 'IDLE': one of PRODUCING"),
        ("mill,2026-03-02T07:00:00Z,,,", "power_w = '': at least one of power_w, count, state"),
        (",2026-03-02T07:00:00Z,1,,", "machine = '': the name of a machine"),
    ],
)
def test_a_row_that_breaks_a_rule_is_refused_by_name(tmp_path: Path, row: str, reason: str) -> None:
    text = f"machine,at,power_w,count,state\nmill,2026-03-02T06:00:00Z,1,,\n{row}\n"
    found = read(write(tmp_path / "r.csv", text))
    assert (found.rows, found.refused) == (2, 1)
    assert found.reasons[0].startswith(f"r.csv:3: {reason}")


def test_an_interval_that_ends_before_it_begins_is_refused(tmp_path: Path) -> None:
    text = (
        "machine,start,end\na,2026-03-02T08:00:00Z,2026-03-02T07:00:00Z\na,2026-03-02T08:00:00Z,2026-03-02T09:00:00Z\n"
    )
    found = read(write(tmp_path / "i.csv", text))
    assert found.reasons == ["i.csv:2: end = '2026-03-02T07:00:00Z': not before start"]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "neither machine,start,end"),
        ("machine,when\n", "its heading has machine, when"),
        ("machine,at,power_w\n", "no row can be used: there is none"),
        ("machine,at,power_w\nx,2026,\n", "no row can be used: r.csv:2"),
        ("machine,start,end\nx,2026-03-02T08:00:00Z,2026-03-02T08:00:00Z\n", "no row can be used"),
    ],
)
def test_a_file_without_a_use_says_why(tmp_path: Path, text: str, why: str) -> None:
    with pytest.raises(RecordingError, match=why):
        read(write(tmp_path / "r.csv", text))
    with pytest.raises(RecordingError, match="No such file"):
        read(tmp_path / "missing.csv")
    (tmp_path / "latin.csv").write_bytes(b"machine,at,power_w\n\xe9,2026-03-02,1\n")
    with pytest.raises(RecordingError, match="utf-8"):
        read(tmp_path / "latin.csv")


raw_intervals = st.lists(
    st.builds(
        lambda start, length, state: Interval(start, start + length, state),
        st.integers(0, 60),
        st.integers(0, 20),
        st.sampled_from(RANK),
    ),
    max_size=12,
)


def by_minute(intervals: list[Interval]) -> list[int]:
    """The busiest state at each instant, the plain way; free time is STANDBY."""
    states = []
    for at in range(90):
        here = [interval.state for interval in intervals if interval.start_ms <= at < interval.end_ms]
        states.append(min(here, key=RANK.index, default=-1))
    return states


@given(raw_intervals)
def test_a_union_says_what_its_intervals_say(intervals: list[Interval]) -> None:
    united = unite(intervals)
    assert by_minute(united) == by_minute(intervals)
    for one, following in pairwise(united):
        assert one.end_ms <= following.start_ms
        assert (one.end_ms, one.state) != (following.start_ms, following.state), "touching intervals are one"


@given(raw_intervals, st.integers(1, 30))
def test_readings_of_a_union_hold_its_states(intervals: list[Interval], every: int) -> None:
    readings = list(told(unite(intervals), 0, 90, every))
    assert [at for at, _ in readings] == sorted({at for at, _ in readings})
    assert readings[-1] == (90, "UNKNOWN")
    held: list[int] = []
    for (at, state), (until, _) in pairwise(readings):
        assert until - at <= every
        held += [STATE_CODE[state]] * (until - at)
    assert held == [STANDBY if state == -1 else state for state in by_minute(intervals)]
