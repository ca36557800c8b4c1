"""What the collector does on command, on ``net/v1/command/ingest``."""

import json
from typing import Any

import structlog

from fleet.clock import now_ms
from fleet.registry import Watcher
from ingest.announce import Announcer
from ingest.collector import Collector
from ingest.forwarder import Forwarder
from ingest.retry import retry
from ingest.thread import SpoolThread

_log = structlog.get_logger(__name__)


class Commands:
    """``{"do": "retry-rejects", "member"?}`` and ``{"do": "repush", "since"?: epoch ms}``.

    Attributes:
        last: what the last command came to: ``{"at", "do", "result"}`` (messages repaired, batches sent again), or
            ``{"at", "error"}``.
    """

    def __init__(
        self,
        thread: SpoolThread,
        collector: Collector,
        forwarder: Forwarder,
        watcher: Watcher,
        announcer: Announcer,
    ) -> None:
        self.last: dict[str, Any] | None = None
        self._thread, self._collector, self._forwarder = thread, collector, forwarder
        self._watcher, self._announcer = watcher, announcer

    async def obey(self, payload: bytes) -> None:
        """Do what a message says; what is wrong with it is logged and said."""
        try:
            order = json.loads(payload)
            what = order["do"]
            if what == "retry-rejects":
                result = await self._retry_rejects(order.get("member"))
            elif what == "repush":
                result = await self._repush(int(order.get("since") or 0))
            else:
                raise ValueError(f"do: {what!r}: one of retry-rejects, repush")
        except (ValueError, KeyError, TypeError) as error:
            _log.warning("a command cannot be obeyed", reason=str(error))
            self.last = {"at": now_ms(), "error": str(error)}
        else:
            _log.info("obeyed", command=what, messages=result)
            self.last = {"at": now_ms(), "do": what, "result": result}

    async def _retry_rejects(self, member: str | None) -> int:
        registry = self._watcher.current
        repaired = await retry(self._thread, self._collector, registry, "reject", member)
        repaired += await retry(self._thread, self._collector, registry, "unclaimed", member)
        await self._announcer.everything()
        return repaired

    async def _repush(self, since_ms: int) -> int:
        batches = await self._thread.persist(lambda spool: spool.repush(since_ms))
        self._forwarder.again()
        return batches
