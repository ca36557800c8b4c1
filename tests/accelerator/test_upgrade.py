"""Files of earlier programs are read whole; those of later ones end a program in one line with exit code 3."""

from collections.abc import Callable
from pathlib import Path

import pytest

from fleet import registry
from ingest.level import Limits
from ingest.listing import listed
from ingest.spool import Spool
from store import connect
from tests.accelerator.cli import resilian
from tests.faults import upgrade_cases as cases


def data_folder(folder: Path) -> tuple[Path, Path, Path]:
    """Old files: spool, store, and the network's file of the fleet."""
    spool, store, fleet = folder / "ingest" / "spool.sqlite", folder / "store.duckdb", folder / "fleet"
    spool.parent.mkdir(parents=True)
    folder.chmod(0o700)
    cases.unpack_spool(spool)
    cases.unpack_store(store)
    cases.copy_registry(fleet)
    return spool, store, fleet / "network.toml"


async def test_nothing_of_the_old_files_is_lost(tmp_path: Path) -> None:
    spool_file, store_file, network = data_folder(tmp_path)
    told: list[str] = []
    spool = Spool(spool_file, Limits(min_free_bytes=0), told.append)
    assert [found.rows["seq"].tolist() for _, found in spool.waiting(0, 2**30)] == [
        list(range(first, first + 50)) for first in range(cases.STORED, cases.READINGS.stop, 50)
    ]
    assert spool.repush(0, 2**62) == 2
    assert sum(len(found) for _, found in spool.waiting(0, 2**30)) == len(cases.READINGS)
    spool.close()
    assert [(one["kind"], one["reason"], one["member"]) for one in listed(spool_file)] == [
        ("reject", "type", "alder"),
        ("unclaimed", "unclaimed", "alder"),
    ]
    assert told == []
    store = connect(f"duckdb://{store_file}")
    await store.open()
    found = await store.read_readings([cases.KEY], 0, 2**42)
    assert found.rows["power_w"].tolist() == [1000.0 + number for number in range(cases.STORED)]
    assert await store.read_dirty(0)
    await store.close()
    fleet = registry.load(network.parent)
    assert fleet.problems == ()
    (machine, _) = fleet.members["old-mill"].machines
    assert (machine.calibration.working_w, machine.feeds[0].format) == (9000.0, "tasmota")


@pytest.mark.parametrize(
    ("make_newer", "which", "said"),
    [
        (cases.make_spool_newer, 0, "spool.sqlite is of version 99"),
        (cases.make_store_newer, 1, "written by a newer version of this program (schema 99"),
        (cases.make_registry_newer, 2, "network.toml:1: version = 99: made for a newer program"),
    ],
)
def test_what_is_newer_is_refused_in_one_line(
    tmp_path: Path, make_newer: Callable[[Path], None], which: int, said: str
) -> None:
    files = data_folder(tmp_path / "data")
    make_newer(files[which])
    before = files[which].read_bytes()
    broker, store = "mqtt://127.0.0.1:9", f"duckdb://{files[1]}"
    done = resilian("ingest", data=tmp_path / "data", RESILIAN_BROKER=broker, RESILIAN_STORE=store)
    assert (done.returncode, said in done.stderr, done.stdout) == (3, True, ""), done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert files[which].read_bytes() == before
