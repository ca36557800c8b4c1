"""What earlier programs left behind, from ``tests/cases/upgrade``, and what a later one would leave."""

import contextlib
import gzip
import shutil
import sqlite3
from pathlib import Path
from typing import Any, Final

import duckdb

from fleet.batch import MachineKey

CASES: Final = Path(__file__).parents[1] / "cases" / "upgrade"
KEY: Final = MachineKey("alder", "machine-0")
FIRST_MS: Final = 1_793_000_000_000
READINGS: Final = range(300)
"""Of the spool; the store has the first :data:`STORED` of them, and the spool knows."""
STORED: Final = 100
LATER: Final = 99


def unpack_spool(path: Path) -> None:
    """The spool of version 1, in place of what is there."""
    for part in path.parent.glob(f"{path.name}*"):
        part.unlink()
    path.write_bytes(gzip.decompress((CASES / "spool-v1.sqlite.gz").read_bytes()))


def unpack_store(path: Path) -> None:
    """The embedded store of version 1, in place of what is there."""
    for part in path.parent.glob(f"{path.name}*"):
        part.unlink()
    path.write_bytes(gzip.decompress((CASES / "store-v1.duckdb.gz").read_bytes()))


def copy_registry(fleet: Path) -> None:
    """The member of the old registry beside those that are there, and its network in place of theirs."""
    shutil.copytree(CASES / "registry", fleet, dirs_exist_ok=True)


def ledger_lines() -> list[dict[str, Any]]:
    """Of every reading, as the oracle reads them."""
    return [
        {
            "topic": f"m/{KEY.member}/{KEY.machine}/reading",
            "payload_sha256": f"{number:064x}",
            "machine": KEY.machine,
            "at": FIRST_MS + number * 1000,
            "seq": number,
            "boot": 1,
            "values": {"state": "OFF", "power_w": 1000.0 + number},
            "acked_at": FIRST_MS + number * 1000,
        }
        for number in READINGS
    ]


def make_spool_newer(path: Path) -> None:
    """As a later program would leave it."""
    with contextlib.closing(sqlite3.connect(path)) as db:
        db.execute(f"PRAGMA user_version = {LATER}")


def make_store_newer(path: Path) -> None:
    """As a later program would leave it."""
    with contextlib.closing(duckdb.connect(str(path))) as db:
        db.execute("UPDATE schema_version SET version = ?", [LATER])


def make_registry_newer(network: Path) -> None:
    """As a later program would leave it: of a version and with a key that this one does not know."""
    network.write_text(f'version = {LATER}\nunheard_of = "yes"\n{network.read_text()}')


def refusal(log: str) -> str:
    """The one line that a program ended with; "" when it said more, a traceback for instance."""
    lines = log.splitlines()
    return lines[0] if len(lines) == 1 else ""
