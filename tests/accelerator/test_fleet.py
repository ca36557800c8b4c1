"""``evaluate fleet``, ``export --hours`` and ``bench analytics`` as a person types them."""

import asyncio
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pytest

from accelerator.bench import made_hours, made_readings
from accelerator.main import execute
from fleet.batch import MachineKey, ReadingBatch, empty_rows
from fleet.registry import init
from store import connect
from tests.accelerator.test_commands import one_line, resilian
from tests.analytics.machines import hours, local, mornings


def quiet(done: int, total: int, what: str = "") -> None:
    """Nothing to show."""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Hours of two members."""
    path = tmp_path_factory.mktemp("hours") / "hours.parquet"
    made_hours.write(path, 60, 13, 1, quiet)
    return path


def printed(done: "subprocess.CompletedProcess[str]") -> Any:
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_hours_of_a_store_are_exported_and_swept(tmp_path: Path) -> None:
    store = connect(f"duckdb://{tmp_path}/store.duckdb")

    async def fill() -> None:
        await store.open()
        await store.write_hours(hours(local(2026, 8, 3), local(2026, 11, 9), mornings))
        await store.write_readings(reading())
        await store.close()

    asyncio.run(fill())
    init(tmp_path / "fleet", name="Essai", commune="Saverne", timezone="Europe/Paris")
    target = tmp_path / "h.parquet"
    url = f"duckdb://{tmp_path}/store.duckdb"
    told = printed(resilian("export", str(target), "--hours", "--json", "--store", url, data=tmp_path))
    assert (told["rows"], told["machines"]) == (98 * 24 + 1, 1)
    table = tmp_path / "m.parquet"
    asked = ("evaluate", "fleet", str(target), "--timezone", "Europe/Paris", "--window", "4h")
    (row,) = printed(resilian(*asked, "--out", str(table), "--json", data=tmp_path))["machines"]
    assert (row["member"], row["machine"], row["said"]) == ("acme", "mill", "flagged")
    assert row["level"] == pytest.approx(15 / 168, abs=0.01)
    assert row["coverage"] == 1.0
    columns = "said, free_from = TIMESTAMPTZ '2026-11-09 00:00:00+01', window_hours, len(free), free[4], free[13]"
    said, in_time, window, starts, early, noon = duckdb.read_parquet(str(table)).project(columns).fetchall()[0]
    assert (said, in_time, window, starts) == ("flagged", True, 4, 336)
    assert early < 0.1 < 0.9 < noon  # Monday from 3 to 7, and from noon
    counted = resilian(*asked, data=tmp_path)
    assert "flagged" in counted.stdout


def reading() -> Any:
    """One reading of the machine, so that the store knows it."""
    rows = empty_rows(1)
    rows["at_ns"] = np.int64(local(2026, 8, 3).timestamp() * 1e9)
    return ReadingBatch((MachineKey("acme", "mill"),), rows)


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["evaluate", "fleet", "no-such.parquet"], 3, "no-such.parquet: no such file"),
        (["evaluate", "fleet", "README.md"], 1, "README.md: cannot be read as Parquet"),
        (["evaluate", "fleet", "README.md", "--window", "90min"], 2, "--window 90min: whole hours"),
        (["export", "hours.csv", "--hours"], 2, "hours are written as Parquet"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(tmp_path: Path, arguments: list[str], code: int, said: str) -> None:
    done = resilian(*arguments, data=tmp_path)
    assert done.returncode == code
    assert said in one_line(done)


def test_a_file_that_cannot_be_written_is_said(made: Path, tmp_path: Path) -> None:
    done = resilian("evaluate", "fleet", str(made), "--out", str(tmp_path / "no" / "m.parquet"), data=tmp_path)
    assert done.returncode == 3
    assert "--out" in one_line(done)


def test_without_dask_its_engine_says_what_to_install(
    made: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)  # as it is found where the extra is not installed
    assert execute(["evaluate", "fleet", str(made), "--engine", "dask"]) == 3
    assert "pip install 'resilian[dask]'" in capfd.readouterr().err
    assert execute(["evaluate", "fleet", str(made), "--engine", "local"]) == 0


def test_start_up_loads_neither_dask_nor_pyarrow() -> None:
    told = (
        "import sys; from accelerator.main import application; application();"
        "print({'dask', 'distributed', 'pyarrow'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", told], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


@pytest.mark.timeout(240)
def test_the_bench_finds_the_same_with_every_engine(tmp_path: Path) -> None:
    kept = tmp_path / "hours.parquet"
    size = ("--machines", "60", "--weeks", "8")
    here = printed(resilian("bench", "analytics", *size, "--workers", "2", "--hours", str(kept), data=tmp_path))
    again = ("--weeks", "8", "--engine", "dask", "--workers", "2", "--hours", str(kept))
    there = printed(resilian("bench", "analytics", *again, data=tmp_path))
    assert here["digest"] == there["digest"]
    assert (here["machines"], here["hours"], there["machines"]) == (60, 60 * (8 * 168 + 1), 60)
    assert sum(here["said"].values()) == 60
    assert list(here["phases"]) == ["make", "plan", "all"]
    assert list(there["phases"]) == ["plan", "all"]  # the hours were there
    for found in (here, there):
        assert found["reading_cpu_ms"] > 0
        assert found["sweeping_cpu_ms"] > 0
        assert found["phases"]["all"]["cpu_seconds"] > 0
        assert found["rss_mb"] >= found["rss_mb_before"] > 0


def test_the_ledger_is_asked_of_every_kind() -> None:
    found = made_readings.measure()
    assert set(found["us_per_reading"]) == set(made_readings.KINDS)
    assert all(0 < spent < 100 for spent in found["us_per_reading"].values())


def test_what_the_bench_makes_are_hours() -> None:
    whole = list(made_hours.members(60, 20, 7))
    assert [len(made.machines) for made in whole] == [50, 10]
    for made, again in zip(whole, made_hours.members(60, 20, 7), strict=True):
        total = np.sum(list(made.seconds.values()), axis=0)
        assert np.abs(total - 3600).max() < 0.001
        assert all((column >= 0).all() for column in made.seconds.values())
        assert all((column == again.seconds[name]).all() for name, column in made.seconds.items())
        partly = {name for name, column in made.seconds.items() if ((column > 0) & (column < 3600)).any()}
        assert partly == set(made.seconds)
