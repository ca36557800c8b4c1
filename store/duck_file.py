"""The file of the embedded store: its tables, opening it, and telling an outage from a mistake."""

import contextlib
import errno
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import duckdb
import numpy as np
from duckdb import DuckDBPyConnection as Connection
from numpy.typing import NDArray

from store.base import StoreRefused, StoreUnavailable
from store.columns import ENERGIES, SECONDS

SCHEMA: Final = 2
_SECONDS: Final = ", ".join(f"{name} DOUBLE" for name in SECONDS)
_ENERGIES: Final = tuple(f"{name} DOUBLE" for name in (*ENERGIES, "metered_s"))
_TABLES: Final = f"""
CREATE TABLE schema_version (version INTEGER);
CREATE TABLE machines (id UINTEGER PRIMARY KEY, member VARCHAR NOT NULL, machine VARCHAR NOT NULL);
CREATE TABLE readings (
  machine_id UINTEGER, ts BIGINT, arrived_ms BIGINT, state UTINYINT, utilisation DOUBLE, power_w DOUBLE,
  energy_wh DOUBLE, counter BIGINT, seq BIGINT, boot BIGINT, metrics VARCHAR);
CREATE TABLE dirty (machine_id UINTEGER, hour BIGINT, arrived_ms BIGINT, PRIMARY KEY (machine_id, hour));
CREATE TABLE hours (
  machine_id UINTEGER, hour BIGINT, {_SECONDS}, energy_wh DOUBLE,
  pieces BIGINT, readings BIGINT, conflicts BIGINT, resets BIGINT, power_max_w DOUBLE, basis VARCHAR, segments VARCHAR,
  carry VARCHAR, model VARCHAR, {", ".join(_ENERGIES)}, PRIMARY KEY (machine_id, hour));
CREATE TABLE documents (
  member VARCHAR, machine VARCHAR, kind VARCHAR, made_ms BIGINT, body VARCHAR, PRIMARY KEY (member, machine, kind));
"""
_MIGRATIONS: Final = {1: tuple(f"ALTER TABLE hours ADD COLUMN {column}" for column in _ENERGIES)}
"""Version of a file -> what makes it one of the next version; hours of before have no energy by state."""
_OUTAGES: Final = (duckdb.IOException, duckdb.FatalException, duckdb.OutOfMemoryException, duckdb.ConnectionException)
_INSERT_NEW: Final = """
INSERT INTO readings BY NAME
SELECT * FROM (SELECT * FROM new_rows WHERE ts BETWEEN $low AND $high)
ANTI JOIN (SELECT machine_id, ts FROM readings WHERE ts BETWEEN $low AND $high) USING (machine_id, ts)
"""
_APART_NS: Final = 3_600 * 10**9
_RANGES_AT_ONCE: Final = 16
_NEEDS_A_PERSON: Final = re.compile(
    "not a valid|enough bytes|version|Permission denied|Is a directory|Not a directory|Read-only"
)


def open_file(path: str) -> Connection:
    """The file with its tables; made when it is not there.

    Raises:
        StoreUnavailable, StoreRefused: as :meth:`store.base.Store.open`.
    """
    try:
        if path == ":memory:":
            connection = _connect(path)
            _make_tables(connection)
            return connection
        if not Path(path).exists():
            _make_file(Path(path))
        connection = _connect(path)
    except (duckdb.Error, OSError) as error:
        raise _why_not_open(path, error) from error
    try:
        _migrate(connection, _version(connection, path))
    except duckdb.Error as error:
        connection.close()
        raise _why_not_open(path, error) from error
    except BaseException:
        connection.close()
        raise
    return connection


def _connect(path: str) -> Connection:
    # the store's own threads are all the parallelism it needs; its cache of blocks would grow to most of the memory
    return duckdb.connect(path, config={"threads": 1, "memory_limit": "256MB"})


def _make_file(path: Path) -> None:
    """A file with empty tables, there whole or not at all: one cut off by a full disk could never be opened again."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(path.name + ".new")
    unfinished.unlink(missing_ok=True)
    with contextlib.closing(_connect(str(unfinished))) as connection:
        _make_tables(connection)
        connection.execute("CHECKPOINT")
    unfinished.replace(path)


def _make_tables(connection: Connection) -> None:
    with transaction(connection):
        connection.execute(_TABLES)
        connection.execute("INSERT INTO schema_version VALUES (?)", [SCHEMA])


def _version(connection: Connection, path: str) -> int:
    tables = {name for (name,) in connection.execute("SELECT table_name FROM duckdb_tables()").fetchall()}
    if "schema_version" not in tables:
        raise StoreRefused(f"store {path}: a DuckDB file of another program; name a file that does not exist yet")
    version = int(connection.execute("SELECT max(version) FROM schema_version").fetchall()[0][0])
    if version > SCHEMA:
        raise StoreRefused(
            f"store {path}: written by a newer version of this program (schema {version}, known: {SCHEMA}); update"
        )
    return version


def _migrate(connection: Connection, version: int) -> None:
    """Bring a file of an earlier version to this one, step by step, each whole or not at all."""
    for step in range(version, SCHEMA):
        with transaction(connection):
            for statement in _MIGRATIONS[step]:
                connection.execute(statement)
            connection.execute("UPDATE schema_version SET version = ?", [step + 1])


def inode(path: str) -> tuple[int, int] | None:
    """Which file stands at the path now; None without one, and for a store in memory."""
    try:
        found = Path(path).stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _why_not_open(path: str, error: Exception) -> StoreUnavailable | StoreRefused:
    text = str(error)
    if "Conflicting lock" in text:
        holder = re.search(r"PID \d+", text)
        return StoreRefused(
            f"store {path}: in use by another process ({holder[0] if holder else 'unknown'}); a running `resilian up` "
            "or `resilian demo` holds it: work through that one, or stop it first"
        )
    if isinstance(error, duckdb.IOException | duckdb.OutOfMemoryException) and not _NEEDS_A_PERSON.search(text):
        return StoreUnavailable(f"store {path}: {text}")
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EIO):
        return StoreUnavailable(f"store {path}: {text}")
    return StoreRefused(f"store {path}: {text}")


def is_outage(error: duckdb.Error) -> bool:
    """Whether the disk, not the program, is to blame; a commit that could not be written is a TransactionException."""
    if isinstance(error, duckdb.TransactionException):
        return "Could not" in str(error)
    return isinstance(error, _OUTAGES)


@contextlib.contextmanager
def transaction(connection: Connection) -> Iterator[None]:
    """All or nothing of what is executed inside."""
    connection.begin()
    try:
        yield
        connection.commit()
    except BaseException:
        with contextlib.suppress(duckdb.Error):
            connection.rollback()
        raise


def insert_new_readings(connection: Connection, columns: dict[str, Any]) -> None:
    """Inserts the readings whose key (machine_id, ts) is not there yet, of equal keys in ``columns`` the first.

    The table has no index: one of it would hold every key ever stored in memory. Blocks whose range of ``ts`` is
    another are not read, so that looking for the keys costs what lies in the batch's own ranges of time.
    """
    order = np.lexsort((columns["ts"], columns["machine_id"]))  # stable: the first of equals stays the first
    machine, ts = columns["machine_id"][order], columns["ts"][order]
    first = np.r_[True, (machine[1:] != machine[:-1]) | (ts[1:] != ts[:-1])]
    if not first.all():
        kept = np.sort(order[first])
        columns = {name: column[kept] for name, column in columns.items()}
    connection.register("new_rows", columns)
    try:
        for low, high in _ranges(columns["ts"]):
            connection.execute(_INSERT_NEW, {"low": low, "high": high})
    finally:
        connection.unregister("new_rows")


def _ranges(keys: NDArray[np.int64]) -> list[tuple[int, int]]:
    """The ranges that the keys lie in, ends included, apart by more than an hour; at most 16, the nearest made one."""
    ordered = np.sort(keys)
    gaps = np.diff(ordered)
    widest = np.argsort(gaps)[-_RANGES_AT_ONCE + 1 :]
    cuts = np.sort(widest[gaps[widest] > _APART_NS])
    return list(zip(ordered[np.r_[0, cuts + 1]].tolist(), ordered[np.r_[cuts, -1]].tolist(), strict=True))


def insert(connection: Connection, statement: str, columns: dict[str, Any], conflict: str = "") -> None:
    """Executes ``INSERT ... INTO table`` with numpy columns, each by its name; 1.4 µs a row in 10,000 rows."""
    connection.register("new_rows", columns)
    try:
        connection.execute(f"{statement} BY NAME SELECT * FROM new_rows {conflict}")  # noqa: S608  # constants only
    finally:
        connection.unregister("new_rows")


def parquet_of(lines: Path, target: Path) -> None:
    """Turn a file of ``store.files.write_json_lines`` into Parquet, without reading it into memory as a whole."""
    columns = {
        "member": "VARCHAR", "machine": "VARCHAR", "at": "TIMESTAMPTZ", "state": "VARCHAR", "utilisation": "DOUBLE",
        "power_w": "DOUBLE", "energy_wh": "DOUBLE", "count": "BIGINT", "seq": "BIGINT", "boot": "BIGINT",
        "metrics": "VARCHAR",
    }  # fmt: skip
    shape = ", ".join(f"'{name}': '{kind}'" for name, kind in columns.items())
    with duckdb.connect(":memory:") as connection:
        source = f"read_json($lines, format = 'newline_delimited', columns = {{{shape}}})"
        relation = connection.sql(f"SELECT * FROM {source}", params={"lines": str(lines)})  # noqa: S608 - names of our own
        relation.write_parquet(str(target), compression="zstd")
