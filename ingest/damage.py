"""What is done when the spool's file is damaged: the log mended, the file replaced by one with all that can be read.

Nothing is thrown away: what was damaged stays beside the spool under ``<name>.damaged-<number>``.
"""

import contextlib
import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from ingest import schema, wal

_TABLES: Final = {
    "meta": "name", "batch": "", "quarantine": "", "kept": "", "tally": "kind", "device": "member", "seen": "packet_id",
    "loss": "id", "apart": "batch_id",
}  # fmt: skip
"""Table -> the key to read it by from both ends; "" for one that is read around its holes, by ids."""
_OTHERS: Final = ("sparkplug_", "numbering", "handover")
"""How the names begin of tables that parts of the program make themselves."""
_SUFFIXES: Final = ("", "-wal", "-shm")


def mend_log(path: Path) -> str:
    """Save what a damaged log holds, before SQLite opens the file; a sentence that reports it, "" without damage."""
    log_file = path.with_name(f"{path.name}-wal")
    finish(path)
    if not path.is_file():
        return ""
    log = wal.examine(log_file)
    if log is None or log.read == len(log.frames):
        return ""
    bad = sum(not frame.whole for frame in log.frames)
    aside = wal.apply(log_file, path, log)
    return (
        f"the log of {path} was damaged ({bad} of {len(log.frames)} pages are not as they were written): all were read "
        f"nevertheless, and it was kept as {aside.name}"
    )


def rescue(path: Path, reason: str) -> str:
    """Replace a damaged file by one with every row that can be read; a sentence that reports it.

    Raises:
        sqlite3.DatabaseError, OSError: there is no room for it; nothing was changed.
    """
    new_path = path.with_name(f"{path.name}.rescued")
    _remove(new_path)
    try:
        with contextlib.closing(schema.open_file(new_path)) as new:
            saved, reason = _save(path, new, reason)
            new.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    except BaseException:
        _remove(new_path)
        raise
    new_path.rename(_whole(path))
    aside = finish(path)
    kept = "" if aside is None else f", and it was kept as {aside.name}"
    return f"{path} was damaged ({reason}): {saved} rows were saved from it{kept}"


def finish(path: Path) -> Path | None:
    """End the replacement of a damaged file, which a crash may have cut off; where the damaged one is."""
    whole = _whole(path)
    if not whole.is_file():
        return None
    aside = _put_aside(path)
    whole.rename(path)
    return aside


def _whole(path: Path) -> Path:
    """Where the new file is when all that could be saved is in it."""
    return path.with_name(f"{path.name}.replacement")


def _save(path: Path, new: sqlite3.Connection, reason: str) -> tuple[int, str]:
    saved = 0
    try:
        with contextlib.closing(_readable(path, new)) as old:
            for table, key in _tables(old, new).items():
                new.execute("BEGIN")
                before = new.total_changes
                width = len(new.execute(f"SELECT * FROM {table} LIMIT 0").description)  # noqa: S608 - names of our own
                marks = ", ".join("?" * width)
                for row in _from_both_ends(old, table, key) if key else _around_holes(old, table):
                    whole = (*row, *[None] * (width - len(row)))  # an older file lacks the newest columns
                    new.execute(f"INSERT OR IGNORE INTO {table} VALUES ({marks})", whole)  # noqa: S608
                saved += new.total_changes - before
                new.execute("COMMIT")
    except sqlite3.DatabaseError as error:
        if schema.is_full(error):
            raise
        reason = f"{reason}; {error}"
    finally:
        _remove(_headed(path))
    return saved, reason


def _readable(path: Path, new: sqlite3.Connection) -> sqlite3.Connection:
    """The damaged file; when it does not even say where its tables are, a copy with the first page of a new file.

    The tables of a file of this version are where those of a new one are, for both are made in the same order.
    """
    old = sqlite3.connect(path)
    with contextlib.suppress(sqlite3.DatabaseError):
        old.execute("PRAGMA query_only = 1")
        if old.execute("SELECT 1 FROM sqlite_master WHERE name = 'batch'").fetchone():
            return old
    old.close()
    copy = _headed(path)
    for suffix in ("", "-wal"):
        if path.with_name(path.name + suffix).exists():
            shutil.copyfile(path.with_name(path.name + suffix), copy.with_name(copy.name + suffix))
    with copy.open("r+b") as file:
        file.write(_first_page(new, copy.stat().st_size))
    return sqlite3.connect(copy)


def _first_page(new: sqlite3.Connection, size: int) -> bytes:
    """The first page of a new file, for one of ``size`` bytes (https://www.sqlite.org/fileformat2.html, 1.3)."""
    data = new.serialize()
    page_size = int.from_bytes(data[16:18], "big")
    head = bytearray(data[:page_size])
    head[28:32] = (size // page_size).to_bytes(4, "big")  # pages; then no free ones are known
    head[32:40] = bytes(8)
    head[92:96] = head[24:28]  # without which the number of pages counts for nothing
    return bytes(head)


def _headed(path: Path) -> Path:
    return path.with_name(f"{path.name}.headed")


def _tables(old: sqlite3.Connection, new: sqlite3.Connection) -> dict[str, str]:
    """The tables to copy; those of a part of the program that makes its own are made."""
    others = {}
    with contextlib.suppress(sqlite3.DatabaseError):
        for name, sql in old.execute("SELECT name, sql FROM sqlite_master WHERE type = 'table'").fetchall():
            if name.startswith(_OTHERS):
                new.execute(sql)
                others[name] = "id" if name == "numbering" else "member"
    return {**_TABLES, **others}


def _from_both_ends(old: sqlite3.Connection, table: str, key: str) -> Iterator[tuple[Any, ...]]:
    """Rows up to the first that cannot be read, then from the end backwards."""
    for order in ("ASC", "DESC"):
        with contextlib.suppress(sqlite3.DatabaseError):
            yield from old.execute(f"SELECT * FROM {table} ORDER BY {key} {order}")  # noqa: S608 - names of our own


def _around_holes(old: sqlite3.Connection, table: str) -> Iterator[tuple[Any, ...]]:
    """Every row that can be read of a table with ids: where reading on fails, the next ids are tried one by one."""
    last = _largest_id(old, table)
    position, one_by_one = -1, False
    while position < last:
        end = position + 1 if one_by_one else last
        try:
            for row in old.execute(
                f"SELECT * FROM {table} WHERE id > ? AND id <= ? ORDER BY id",  # noqa: S608 - names of our own
                (position, end),
            ):
                position = row[0]
                yield row
        except sqlite3.DatabaseError:
            if one_by_one:
                position = end
            one_by_one = True
        else:
            position, one_by_one = end, False


def _largest_id(old: sqlite3.Connection, table: str) -> int:
    largest = 0
    for query in (
        f"SELECT max(id) FROM {table}",  # noqa: S608 - names of our own
        f"SELECT seq FROM sqlite_sequence WHERE name = '{table}'",  # noqa: S608
    ):
        with contextlib.suppress(sqlite3.DatabaseError):
            row = old.execute(query).fetchone()
            largest = max(largest, int(row[0] or 0) if row else 0)
    return largest


def _put_aside(path: Path) -> Path:
    number = 1
    while (aside := path.with_name(f"{path.name}.damaged-{number}")).exists():
        number += 1
    for suffix in _SUFFIXES:
        part = path.with_name(path.name + suffix)
        if part.exists():
            part.rename(aside.with_name(aside.name + suffix))
    return aside


def _remove(path: Path) -> None:
    for suffix in _SUFFIXES:
        path.with_name(path.name + suffix).unlink(missing_ok=True)
