"""Hours as Parquet: written, read in any parts, written by others, and what is wrong with a file said by name."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accelerator.export_file import write_hours
from fleet.batch import MachineKey
from fleet.states import UNKNOWN
from store import Store
from store.columns import SECONDS
from store.hours_file import KEPT, hours_writer
from store.hours_plan import STATES, HoursUnreadable, plan
from store.hours_read import read
from tests.store.conftest import HOUR, A, B, C, bucket

MACHINES = tuple(MachineKey(f"m{member}", f"x{index}") for member in range(4) for index in range(member + 1))
COUNT = 30


def columns(seed: int, machines: int) -> dict[str, np.ndarray]:
    """Seconds that sum to 3,600, to the millisecond, each of shape (machines, COUNT)."""
    rng = np.random.default_rng(seed)
    cuts = np.sort(rng.integers(0, 3_600_001, (6, machines, COUNT)), axis=0)
    edges = np.concatenate([np.zeros((1, machines, COUNT)), cuts, np.full((1, machines, COUNT), 3_600_000)])
    parts = np.diff(edges, axis=0) / 1000
    return dict(zip(SECONDS, parts.astype(np.float32), strict=True))


def written(path: Path, seed: int = 1, start: int = HOUR) -> dict[str, np.ndarray]:
    """A file of all of :data:`MACHINES`."""
    made = columns(seed, len(MACHINES))
    starts = start + 3600 * np.arange(COUNT)
    with hours_writer(path, KEPT) as writer:
        for place, key in enumerate(MACHINES):
            writer.append_columns([key], starts, {name: column[[place]] for name, column in made.items()})
    return made


def rewritten(path: Path, query: str, *values: object, group_rows: int | None = None) -> Path:
    """What DuckDB makes of the table FILE, which is the file: columns that may be null, row groups of its own."""
    other = path.with_name("other.parquet")
    with duckdb.connect() as connection:
        connection.read_parquet(str(path)).create_view("FILE")
        connection.sql(query, params=list(values)).write_parquet(str(other), row_group_size=group_rows)
    return other


def all_of(path: Path, rows_at_once: int, start: int = HOUR, count: int = COUNT) -> dict[MachineKey, np.ndarray]:
    """Everything in the file, part by part: (states, hours) a machine."""
    found: dict[MachineKey, np.ndarray] = {}
    for grid in read(plan(path, rows_at_once).parts, start, count):
        assert len({key.member for key in grid.machines} & {key.member for key in found}) == 0
        assert list(grid.machines) == sorted(grid.machines)
        found |= {key: np.stack([one[place] for one in grid.seconds]) for place, key in enumerate(grid.machines)}
    return found


def same(found: dict[MachineKey, np.ndarray], made: dict[str, np.ndarray]) -> None:
    assert set(found) == set(MACHINES)
    for place, key in enumerate(MACHINES):
        expected = np.stack([made[SECONDS[state]][place] for state in STATES])
        np.testing.assert_array_equal(found[key], expected)


@pytest.mark.parametrize("group_rows", [1, 10_000])
@pytest.mark.parametrize("rows_at_once", [1, 100, 10_000])
def test_what_is_written_is_read_in_any_parts(
    tmp_path: Path, rows_at_once: int, group_rows: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("store.hours_file.GROUP_ROWS", group_rows)
    made = written(tmp_path / "h.parquet")
    same(all_of(tmp_path / "h.parquet", rows_at_once), made)
    planned = plan(tmp_path / "h.parquet", rows_at_once)
    assert (planned.start, planned.end, planned.rows) == (HOUR, HOUR + 3600 * COUNT, COUNT * len(MACHINES))


@settings(max_examples=12, deadline=None)
@given(st.integers(0, 99), st.sampled_from([1, 70, 10_000]), st.booleans())
def test_files_of_other_programs_are_read_alike(
    tmp_path_factory: pytest.TempPathFactory, seed: int, rows_at_once: int, shuffled: bool
) -> None:
    path = tmp_path_factory.mktemp("hours") / "h.parquet"
    made = written(path, seed)
    order = "hash(hour::VARCHAR || machine)" if shuffled else "member, machine, hour"
    query = "SELECT member, machine, epoch(hour)::BIGINT AS hour, COLUMNS('seconds_.*')::DOUBLE FROM FILE ORDER BY "
    same(all_of(rewritten(path, query + order, group_rows=2048), rows_at_once), made)


@pytest.mark.parametrize("most_rows", [COUNT, 5 * COUNT])
def test_a_member_that_is_too_large_for_one_row_group_is_whole(
    tmp_path: Path, most_rows: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("store.hours_file.MOST_ROWS", most_rows)
    made = written(tmp_path / "h.parquet")
    parts = plan(tmp_path / "h.parquet", 1).parts
    assert max(len(part.groups) for part in parts) > 1
    same(all_of(tmp_path / "h.parquet", 1), made)


def test_a_file_that_was_made_again_is_read_anew(tmp_path: Path) -> None:
    written(tmp_path / "h.parquet", 1)
    all_of(tmp_path / "h.parquet", 1)
    made = written(tmp_path / "h.parquet", 2)
    same(all_of(tmp_path / "h.parquet", 1), made)


def test_a_folder_of_files_is_one(tmp_path: Path) -> None:
    made = written(tmp_path / "h.parquet")
    folder = tmp_path / "parts"
    folder.mkdir()
    halves = ("SELECT * FROM FILE WHERE hour < to_timestamp($1)", "SELECT * FROM FILE WHERE hour >= to_timestamp($1)")
    for number, half in enumerate(halves):
        part = rewritten(tmp_path / "h.parquet", half, HOUR + 36_000)
        part.rename(folder / f"{number}.parquet")
    same(all_of(folder, 1), made)


def halved(tmp_path: Path, *pieces: str) -> Path:
    """A folder with a file of each of these pieces of FILE."""
    written(tmp_path / "h.parquet")
    folder = tmp_path / "parts"
    folder.mkdir()
    for number, piece in enumerate(pieces):
        rewritten(tmp_path / "h.parquet", piece).rename(folder / f"{number}.parquet")
    return folder


def test_footers_of_a_folders_files_are_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("store.hours_file.GROUP_ROWS", 1)
    for number in range(6):
        written(tmp_path / f"{number}.parquet", start=HOUR + 3600 * COUNT * number)
    taken, really = [], pq.read_metadata

    def counted(file: Path, **options: Any) -> Any:
        taken.append(file)
        return really(file, **options)

    monkeypatch.setattr(pq, "read_metadata", counted)
    all_of(tmp_path, 1, count=6 * COUNT)
    assert len(plan(tmp_path, 1).parts) > 1
    assert sorted(taken) == sorted(tmp_path.iterdir())


WRONG = "SELECT * REPLACE ({} AS {}) FROM FILE WHERE machine <> 'x0'"


@pytest.mark.parametrize(
    ("second", "said"),
    [
        (WRONG.format("-1::FLOAT", "seconds_fault"), "{1}: column seconds_fault holds values"),
        (WRONG.format("hour + INTERVAL 1 SECOND", "hour"), "{1}: column hour holds times"),
        (WRONG.format("hour + INTERVAL 1 MILLISECOND", "hour"), "{1}: column hour holds times"),
        ("SELECT * FROM FILE", "{0}, {1}: an hour of a machine stands twice"),
    ],
)
def test_it_is_the_wrong_file_that_is_named(tmp_path: Path, second: str, said: str) -> None:
    folder = halved(tmp_path, "SELECT * FROM FILE WHERE machine = 'x0'", second)
    with pytest.raises(HoursUnreadable) as caught:
        all_of(folder, 1)
    assert str(caught.value).startswith(said.format(folder / "0.parquet", folder / "1.parquet"))


def test_an_hour_that_is_not_there_is_unknown_and_others_are_left_out(tmp_path: Path) -> None:
    made = written(tmp_path / "h.parquet")
    query = "SELECT * FROM FILE WHERE hour <> to_timestamp($1)"
    found = all_of(rewritten(tmp_path / "h.parquet", query, HOUR + 7200), 1)
    unknown = STATES.index(UNKNOWN)
    for key, seconds in found.items():
        assert seconds[:, 2].tolist() == [3600.0 if state == unknown else 0.0 for state in range(len(STATES))]
        assert seconds[unknown, 3] == made[SECONDS[UNKNOWN]][MACHINES.index(key), 3]
    wider = all_of(tmp_path / "h.parquet", 1, HOUR - 7200, COUNT + 1)
    assert all((seconds[unknown, :2] == 3600.0).all() for seconds in wider.values())
    assert wider[MACHINES[0]][0, 2:].tolist() == made[SECONDS[0]][0, :-1].tolist()


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("SELECT * EXCLUDE seconds_fault FROM FILE", "no column seconds_fault"),
        ("SELECT * REPLACE (CASE WHEN machine = 'x1' THEN NULL ELSE seconds_setup END AS seconds_setup) FROM FILE",
         "seconds_setup has no value"),
        ("SELECT * REPLACE ('nan'::FLOAT AS seconds_unknown) FROM FILE", "seconds_unknown holds values"),
        ("SELECT * REPLACE (-1::FLOAT AS seconds_unknown) FROM FILE", "seconds_unknown holds values"),
        ("SELECT * REPLACE (4000::FLOAT AS seconds_producing) FROM FILE", "seconds_producing holds values"),
        ("SELECT * FROM FILE UNION ALL SELECT * FROM FILE WHERE machine = 'x2'", "stands twice"),
        ("SELECT * REPLACE (hour + INTERVAL 1 SECOND AS hour) FROM FILE", "not whole hours"),
        ("SELECT * REPLACE (hour::VARCHAR AS hour) FROM FILE", "column hour is"),
        ("SELECT * FROM FILE LIMIT 0", "holds no hours"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said(tmp_path: Path, query: str, said: str) -> None:
    written(tmp_path / "h.parquet")
    with pytest.raises(HoursUnreadable, match=said):
        all_of(rewritten(tmp_path / "h.parquet", query), 1)


def test_no_parquet_is_said(tmp_path: Path) -> None:
    (tmp_path / "h.parquet").write_text("member,machine\n")
    with pytest.raises(HoursUnreadable, match="cannot be read as Parquet"):
        plan(tmp_path / "h.parquet", 1)


async def test_every_store_exports_its_hours(store: Store, tmp_path: Path) -> None:
    whole = (600.5, 0.0, 1200.25, 0.0, 0.0, 0.0, 1799.25)
    running = (60.0, 0.0, 0.0, 40.0, 0.0, 0.0, 0.0)
    hours = [
        bucket(B, HOUR, seconds=whole, energy_wh=None, pieces=None),
        bucket(A, HOUR, basis="state"),
        bucket(A, HOUR + 3600, seconds=running),
        bucket(C, HOUR - 7200),
    ]
    await store.write_hours(hours)
    path = tmp_path / "h.parquet"
    told = await write_hours(store, [C, B, A], None, datetime(2100, 1, 1, tzinfo=UTC), path)
    assert (told["rows"], told["machines"]) == (4, 3)
    found = all_of(path, 1, HOUR - 7200, 4)
    expected = {(hour.key, (hour.hour - HOUR) // 3600 + 2): hour for hour in hours}
    for (key, place), hour in expected.items():
        passed = sum(hour.seconds)
        seconds = [*hour.seconds[:UNKNOWN], hour.seconds[UNKNOWN] + 3600 - passed]
        assert found[key][:, place].tolist() == [pytest.approx(seconds[state]) for state in STATES]
    assert found[A][-1, :2].tolist() == [3600.0, 3600.0]
    beside = "member, machine, epoch(hour)::BIGINT, energy_wh, pieces, basis"
    rows = duckdb.read_parquet(str(path)).project(beside).fetchall()
    assert rows == [
        (hour.member, hour.machine, hour.hour, hour.energy_wh, hour.pieces, hour.basis)
        for hour in sorted(hours, key=lambda hour: (hour.key, hour.hour))
    ]
