"""Losses of our session at the broker: what was queued for us may be gone. Recorded, stored, published."""

import asyncio
import json
import sqlite3
from collections.abc import Callable
from functools import partial
from typing import Final

import structlog

from fleet.clock import now_ms
from fleet.records import Document
from fleet.topics import SESSION
from ingest import seen
from ingest.thread import SpoolThread
from store import Store, StoreError

_log = structlog.get_logger(__name__)
_KEPT: Final = 100
_RETRY_S: Final = 5.0


class SessionLosses:
    """Keeps the newest losses; the document ``session`` of the store follows."""

    def __init__(self, program: str, thread: SpoolThread, store: Store, publish: Callable[[str, bytes], None]) -> None:
        self._program, self._thread, self._store, self._publish = program, thread, store, publish
        self._new: list[tuple[int, str]] = []
        self._changed = asyncio.Event()

    def add(self, reason: str) -> None:
        """The broker came back without our session."""
        at = now_ms()
        _log.error("the broker lost our session; what it had queued for us may be lost", reason=reason)
        self._new.append((at, reason))
        self._changed.set()
        body = {"at": at, "program": self._program, "lost": True, "reason": reason}
        self._publish(SESSION.format(program=self._program), json.dumps(body).encode())

    async def run(self) -> None:
        """Make losses durable, in the spool, then in the store, until cancelled."""
        while True:
            await self._changed.wait()
            self._changed.clear()
            new, self._new = self._new, []
            losses = await self._thread.query(partial(_record, new=tuple(new)))
            body = [{"at": at, "program": self._program, "reason": reason} for at, reason in losses]
            await self._write(
                Document(member="", machine=self._program, kind="session", at=now_ms(), body=json.dumps(body))
            )

    async def _write(self, document: Document) -> None:
        while True:
            try:
                await self._store.write_documents([document])
            except StoreError:
                await asyncio.sleep(_RETRY_S)  # the forwarder says why
            else:
                return


def _record(db: sqlite3.Connection, new: tuple[tuple[int, str], ...]) -> list[tuple[int, str]]:
    db.executemany("INSERT INTO loss (at_ms, reason) VALUES (?, ?)", new)
    db.execute("DELETE FROM loss WHERE id <= (SELECT max(id) FROM loss) - ?", (_KEPT,))
    seen.forget(db)  # the packet ids of a new session are new
    return db.execute("SELECT at_ms, reason FROM loss ORDER BY id").fetchall()
