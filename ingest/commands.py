"""What the collector does on command, on ``net/v1/command/ingest``."""

import json
import sqlite3
from collections.abc import Callable
from typing import Any

import structlog

from fleet.clock import now_ms
from fleet.registry import Watcher
from ingest import quarantine
from ingest.announce import Announcer
from ingest.collector import Collector
from ingest.forwarder import Forwarder
from ingest.handing import Handing
from ingest.retry import retry
from ingest.thread import SpoolThread

_log = structlog.get_logger(__name__)


class Commands:
    """Obeys ``{"do": "retry-rejects", "member"?}``, ``{"do": "repush", "since"?: epoch ms}``,
    ``{"do": "dismiss-quarantine"}``, ``{"do": "adopt", "member"}``.

    Attributes:
        last: what the last command came to: ``{"at", "do", "result"}`` (messages repaired, batches sent again,
            readings given up, members taken over), or ``{"at", "error"}``.
    """

    def __init__(
        self,
        thread: SpoolThread,
        collector: Collector,
        forwarder: Forwarder,
        watcher: Watcher,
        announcer: Announcer,
        handing: Handing,
    ) -> None:
        self.last: dict[str, Any] | None = None
        self._thread, self._collector, self._forwarder = thread, collector, forwarder
        self._watcher, self._announcer, self._handing = watcher, announcer, handing

    async def obey(self, payload: bytes) -> None:
        """Do what a message says; what is wrong with it is logged and said."""
        try:
            order = json.loads(payload)
            what = order["do"]
            if what == "retry-rejects":
                result = await self._retry_rejects(order.get("member"))
            elif what == "repush":
                result = await self._repush(int(order.get("since") or 0))
            elif what == "dismiss-quarantine":
                result = await self._of_quarantine(quarantine.dismiss)
            elif what == "adopt":
                result = await self._adopt(order["member"])
            elif what == "begin":
                result = await self._handing.begin()
            else:
                raise ValueError(f"do: {what!r}: one of retry-rejects, repush, dismiss-quarantine, adopt")
        except (ValueError, KeyError, TypeError) as error:
            _log.warning("a command cannot be obeyed", reason=str(error))
            self.last = {"at": now_ms(), "error": str(error)}
        else:
            _log.info("obeyed", command=what, messages=result)
            self.last = {"at": now_ms(), "do": what, "result": result}

    async def _adopt(self, member: str) -> int:
        if member not in self._watcher.current.members:
            raise ValueError(f"member: {member!r}: no such member in the registry")
        return await self._handing.adopt(member)

    async def _retry_rejects(self, member: str | None) -> int:
        registry = self._watcher.current
        repaired = await retry(self._thread, self._collector, registry, "reject", member)
        repaired += await retry(self._thread, self._collector, registry, "unclaimed", member)
        if member is None:
            repaired += await self._of_quarantine(quarantine.retry)
            self._forwarder.again()
        await self._announcer.everything()
        return repaired

    async def _of_quarantine(self, function: Callable[[sqlite3.Connection], int]) -> int:
        return await self._thread.persist(lambda spool: spool.call(lambda db, _: function(db), changes_batches=True))

    async def _repush(self, since_ms: int) -> int:
        until_ms, total = now_ms(), 0
        while batches := await self._thread.persist(lambda spool: spool.repush(since_ms, until_ms)):
            total += batches
        self._forwarder.again()
        return total
