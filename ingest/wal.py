"""The log of SQLite (``-wal``) checked before SQLite reads it, which stops at the first frame that is not as written.

A flipped bit in the log would otherwise undo every later commit without a word, acknowledged ones too. The format is
that of https://www.sqlite.org/fileformat2.html#the_write_ahead_log.
"""

import os
import struct
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

_HEADER: Final = struct.Struct(">IIIIIIII")  # magic, version, page size, checkpoint, salt 1, salt 2, checksum 1 and 2
_FRAME: Final = struct.Struct(">IIIIII")  # page, pages after a commit or 0, salt 1, salt 2, checksum 1 and 2
_MAGIC: Final = 0x377F0682  # with the lowest bit: checksums over big-endian words
_Sum = tuple[int, int]


@dataclass(frozen=True, slots=True)
class _Frame:
    page: int
    commit: int
    whole: bool
    offset: int  # of the page's bytes


@dataclass(frozen=True, slots=True)
class Log:
    """What a log holds.

    Attributes:
        read: frames that SQLite would read.
        frames: all that were committed, those that SQLite would not read included.
    """

    page_size: int
    read: int
    frames: list[_Frame]


def examine(wal: Path) -> Log | None:
    """What the log holds; None when there is nothing in it.

    The last commit counts only when it is whole: a crash of the machine may have cut it, and then it was never said to
    be durable.
    """
    data = wal.read_bytes() if wal.is_file() else b""
    if len(data) < _HEADER.size + _FRAME.size:
        return None
    magic, _, page_size, _, *salts, first, second = _HEADER.unpack_from(data)
    order = ">u4" if magic & 1 else "<u4"
    head_whole = magic & ~1 == _MAGIC and _checksum(data[:24], (0, 0), order) == (first, second)
    if not head_whole:
        page_size, order = _page_size_of(wal), "<u4"
        salts = list(_FRAME.unpack_from(data, _HEADER.size)[2:4])
    if page_size < 512:
        return None
    frames: list[_Frame] = []
    before: _Sum = (first, second)
    for start in range(_HEADER.size, len(data) - _FRAME.size - page_size + 1, _FRAME.size + page_size):
        page, commit, *found, one, two = _FRAME.unpack_from(data, start)
        offset = start + _FRAME.size
        sums = _checksum(data[start : start + 8] + data[offset : offset + page_size], before, order)
        ours = found == salts  # else of an earlier use of the file, or damaged
        frames.append(_Frame(page, commit if ours else 0, ours and sums == (one, two), offset))
        before = (one, two)
    frames = _committed(frames)
    intact = next((number for number, frame in enumerate(frames) if not frame.whole), len(frames))
    read = max((number + 1 for number in range(intact) if frames[number].commit), default=0)
    return Log(page_size, read if head_whole else 0, frames)


def apply(wal: Path, database: Path, log: Log) -> Path:
    """Write the log's pages to the database as a checkpoint would, and put the log aside as it was; its new path.

    May be cut off and begun again: the log goes last.
    """
    data = wal.read_bytes()
    with database.open("r+b") as file:
        for frame in (one for one in log.frames if 0 < one.page <= log.frames[-1].commit):
            file.seek((frame.page - 1) * log.page_size)
            file.write(data[frame.offset : frame.offset + log.page_size])
        file.truncate(log.frames[-1].commit * log.page_size)
        file.flush()
        os.fsync(file.fileno())
    number = 1
    while (aside := database.with_name(f"{database.name}.damaged-{number}-wal")).exists():
        number += 1
    wal.rename(aside)
    database.with_name(f"{database.name}-shm").unlink(missing_ok=True)
    return aside


def _committed(frames: list[_Frame]) -> list[_Frame]:
    """Up to the last commit, without that one when it is not whole."""
    ends = [number + 1 for number, frame in enumerate(frames) if frame.commit]
    if ends and not all(frame.whole for frame in frames[ends[-2] if len(ends) > 1 else 0 : ends[-1]]):
        ends.pop()
    return frames[: ends[-1]] if ends else []


def _page_size_of(wal: Path) -> int:
    with wal.with_name(wal.name.removesuffix("-wal")).open("rb") as database:
        size = int.from_bytes(database.read(18)[16:18], "big")
    return 65_536 if size == 1 else size


def _checksum(data: bytes, before: _Sum, order: str) -> _Sum:
    """s0 += x + s1, s1 += y + s0 over each pair of words (x, y), modulo 2^32; as a sum with the powers of that step."""
    words = np.frombuffer(data, dtype=order).astype(np.uint32).reshape(-1, 2)
    x, y = words[:, 0], words.sum(axis=1, dtype=np.uint32)
    a, b, c, d = (power[::-1] for power in _powers(len(words) + 1))
    s0 = int(a[0]) * before[0] + int(b[0]) * before[1] + int(np.dot(a[1:], x)) + int(np.dot(b[1:], y))
    s1 = int(c[0]) * before[0] + int(d[0]) * before[1] + int(np.dot(c[1:], x)) + int(np.dot(d[1:], y))
    return s0 & 0xFFFFFFFF, s1 & 0xFFFFFFFF


@lru_cache(maxsize=4)
def _powers(count: int) -> tuple[NDArray[np.uint32], ...]:
    """The powers 0 to count - 1 of ((1, 1), (1, 2)), element by element, modulo 2^32."""
    a, b, c, d = 1, 0, 0, 1
    rows = []
    for _ in range(count):
        rows.append((a, b, c, d))
        a, b, c, d = ((value & 0xFFFFFFFF) for value in (a + b, a + 2 * b, c + d, c + 2 * d))
    return tuple(np.array(column, dtype=np.uint32) for column in zip(*rows, strict=True))
