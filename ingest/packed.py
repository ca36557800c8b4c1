"""A batch as the bytes that the spool keeps: as it is, or packed to a fifth while much waits. Pure."""

import struct
import zlib
from typing import Final

import numpy as np

from fleet.batch import READING, BatchCorrupt, ReadingBatch

BEYOND_BYTES: Final = 64 * 2**20
"""So much waits only for a store that is away or slow: then the disk counts for more than what packing costs, 0002."""
_MARK: Final = b"zip1"
"""Leads what is packed; a batch that is not begins with eight hexadecimal digits."""
_SIZES: Final = struct.Struct(">II")
"""Bytes of the batch before its rows, and of a row."""
_COMMON: Final = (
    b'{"v":1,"machines":[["machine-0","machine-1"]],"metrics":{"0":""}}\n'
    b"\x93NUMPY\x01\x00\xb6\x00{'descr': [('machine', '<u4'), ('at_ns', '<i8'), ('arrived_ms', '<i8'), "
    b"('state', '|u1'), ('utilisation', '<f8'), ('power_w', '<f8'), ('energy_wh', '<f8'), ('counter', '<i8'), "
    b"('seq', '<i8'), ('boot', '<i8')], 'fortran_order': False, 'shape': (1,), }"
)
"""What every batch says, known to both sides; part of the format, so never changed."""


def bytes_of(batch: ReadingBatch, *, small: bool) -> bytes:
    """The batch for the disk; ``small``: packed, the first byte of all rows, then their second, and so on."""
    data = batch.to_bytes()
    if not small:
        return data
    start = len(data) - batch.rows.nbytes
    rows = np.frombuffer(data, np.uint8, offset=start).reshape(-1, READING.itemsize)
    packer = zlib.compressobj(1, zdict=_COMMON)
    return b"".join(
        (
            _MARK,
            _SIZES.pack(start, READING.itemsize),
            packer.compress(data[:start]),
            packer.compress(rows.T.tobytes()),
            packer.flush(),
        )
    )


def batch_of(data: bytes) -> ReadingBatch:
    """The inverse of :func:`bytes_of`, packed or not.

    Raises:
        BatchCorrupt: it is not what was written.
    """
    return ReadingBatch.from_bytes(_unpacked(data) if data[: len(_MARK)] == _MARK else data)


def _unpacked(data: bytes) -> bytes:
    try:
        start, row = _SIZES.unpack_from(data, len(_MARK))
        unpacker = zlib.decompressobj(zdict=_COMMON)
        whole = unpacker.decompress(data[len(_MARK) + _SIZES.size :])
        rows = np.frombuffer(whole, np.uint8, offset=start).reshape(row, -1)
    except (struct.error, zlib.error, ValueError, ZeroDivisionError) as error:
        raise BatchCorrupt(f"the packed batch cannot be read: {error}") from error
    return whole[:start] + rows.T.tobytes()
