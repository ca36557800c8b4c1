"""The one thread in which the spool lives; the event loop asks it and goes on."""

import asyncio
import shutil
import sqlite3
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final, TypeVar

from ingest.errors import SpoolFull
from ingest.level import Level, room
from ingest.spool import Limits, Spool

_T = TypeVar("_T")
_RETRY_S: Final = 1.0


class SpoolThread:
    """Runs functions of the spool, one after the other, off the event loop."""

    def __init__(self, path: Path, limits: Limits, on_damage: Callable[[str], None]) -> None:
        self._path, self._limits, self._on_damage = path, limits, on_damage
        self._executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix="spool")
        self._spool: Spool | None = None

    async def open(self) -> None:
        """Open the file.

        Raises:
            SpoolNewer, SpoolFull: as :class:`ingest.spool.Spool`.
        """
        loop = asyncio.get_running_loop()

        def damaged(report: str) -> None:
            loop.call_soon_threadsafe(self._on_damage, report)

        self._spool = await loop.run_in_executor(self._executor, Spool, self._path, self._limits, damaged)

    @property
    def level(self) -> Level:
        """How full the spool is; read from any thread."""
        return Level() if self._spool is None else self._spool.level

    @property
    def limits(self) -> Limits:
        """How much the spool may hold."""
        return self._limits

    @property
    def room_bytes(self) -> int:
        """How many bytes may wait besides what does."""
        return room(self.level, self._limits, shutil.disk_usage(self._path.parent).free)

    def submit(self, function: Callable[[Spool], _T]) -> "asyncio.Future[_T]":
        """Run ``function(spool)`` in the thread, after everything submitted before."""
        spool = self._spool
        if spool is None:
            raise RuntimeError("the spool is not open")
        return asyncio.get_running_loop().run_in_executor(self._executor, function, spool)

    def persist(self, function: Callable[[Spool], _T]) -> Coroutine[Any, Any, _T]:
        """Run ``function(spool)``, again while the disk is full: for what has to be written sooner or later.

        Asked for when this is called, not when the result is awaited.
        """
        return self._persisted(self.submit(function), function)

    async def _persisted(self, asked: "asyncio.Future[_T]", function: Callable[[Spool], _T]) -> _T:
        while True:
            try:
                return await asked
            except SpoolFull:
                await asyncio.sleep(_RETRY_S)  # the collector says so
                asked = self.submit(function)

    def query(self, function: Callable[[sqlite3.Connection], _T]) -> Coroutine[Any, Any, _T]:
        """Run ``function(connection)`` in one transaction of the thread, as :meth:`persist` runs what it is given."""
        return self.persist(lambda spool: spool.call(lambda db, _: function(db)))

    async def read(self, function: Callable[[sqlite3.Connection], _T]) -> _T:
        """As :meth:`query`, but once: for a start, which has to say what is wrong.

        Raises:
            SpoolFull: the disk is full or the file may not be written.
        """
        return await self.submit(lambda spool: spool.call(lambda db, _: function(db)))

    async def close(self) -> None:
        """Finish what was submitted and close the file."""
        if self._spool is not None:
            await self.submit(Spool.close)
            self._spool = None
        self._executor.shutdown(wait=True)
