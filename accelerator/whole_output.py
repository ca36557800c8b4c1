"""Standard output that arrives whole, or is an error.

Python's own does not promise it: unbuffered (``PYTHONUNBUFFERED``, which containers set), a write that is cut short
counts as done. What cuts one short is a pause of the process, and the end of an event loop of uvloop: Linux takes the
loop's io_uring down a moment later, which wakes whatever the process waits in. Buffered, a pipe that another of its
holders made non-blocking raises in the middle. Either way a reader slower than the command sees a whole number of
pipes, 65,536 bytes or a multiple.
"""

import io
import os
import select
import sys
from typing import TYPE_CHECKING

from accelerator.problems import Missing

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer


class ReaderGone(Exception):
    """Nobody reads standard output any more: the command ends without a word, as a signal would have ended it."""


class WholeWriter(io.RawIOBase):
    """Writes all it is given to a descriptor, waiting as long as the reader does.

    After an error it takes the rest and drops it: the error was told once, and whoever empties buffers at exit must not
    fail again.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._lost = False

    def writable(self) -> bool:
        """Always."""
        return True

    def fileno(self) -> int:
        """The descriptor, which this does not own."""
        return self._descriptor

    def isatty(self) -> bool:
        """Whether it is a terminal."""
        return os.isatty(self._descriptor)

    def write(self, data: "ReadableBuffer") -> int:
        """Write all of ``data``.

        Raises:
            ReaderGone: nobody reads any more.
            Missing: it cannot be written, for instance on a full disk.
        """
        rest = memoryview(data).cast("B")
        size = len(rest)
        while rest and not self._lost:
            try:
                rest = rest[os.write(self._descriptor, rest) :]
            except BlockingIOError:
                self._wait()
            except BrokenPipeError:
                self._lost = True
                raise ReaderGone from None
            except OSError as error:
                self._lost = True
                raise Missing(f"standard output cannot be written whole: {error.strerror}") from None
        return size

    def _wait(self) -> None:
        room = select.poll()
        room.register(self._descriptor, select.POLLOUT)
        room.poll()


def make_whole() -> None:
    """Have ``sys.stdout`` of this process write by :class:`WholeWriter`; without standard output nothing is to do."""
    before = sys.stdout
    if before is None:
        return
    before.flush()
    sys.stdout = io.TextIOWrapper(
        io.BufferedWriter(WholeWriter(before.fileno())),
        encoding=before.encoding,
        errors=before.errors,
        line_buffering=before.isatty() or getattr(before, "write_through", False),
    )
