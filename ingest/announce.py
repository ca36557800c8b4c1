"""What is kept of a member's messages, for its pages: ``net/v1/rejects/<member>`` and ``net/v1/unclaimed/<member>``."""

import json
import sqlite3
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, Final

from fleet.clock import now_ms
from fleet.topics import REJECTS, UNCLAIMED
from ingest import rejects, unclaimed
from ingest.background import Background
from ingest.rejects import Kind
from ingest.thread import SpoolThread
from ingest.trailing import Trailing

EVERY_S: Final = 1.0
_SAID: Final[dict[Kind, tuple[str, Callable[[sqlite3.Connection, str], dict[str, Any]]]]] = {
    "reject": (REJECTS, rejects.summary),
    "unclaimed": (UNCLAIMED, unclaimed.summary),
}


class Announcer:
    """Publishes both, retained, at most once a second a member; of a member that another collector has, nothing."""

    def __init__(
        self, thread: SpoolThread, publish: Callable[[str, bytes], None], takes: Callable[[str], bool] = lambda _: True
    ) -> None:
        self._takes = takes
        self._thread = thread
        self._publish = publish
        self._tasks = Background()
        self._trailing = {kind: Trailing(EVERY_S, partial(self._say, kind)) for kind in _SAID}

    async def everything(self) -> None:
        """Say what an earlier run kept."""
        for kind in _SAID:
            self.changed(kind, await self._thread.query(partial(rejects.members, kind=kind)))

    def changed(self, kind: Kind, members: Iterable[str]) -> None:
        """What is kept of these members changed; "" is what came below nobody's name."""
        for member in filter(self._takes, members):
            self._trailing[kind].poke(member)

    async def close(self, patience_s: float) -> None:
        """Say what waits, for so many seconds at most: a spool that takes nothing does not answer either."""
        for trailing in self._trailing.values():
            trailing.close()
        await self._tasks.close(patience_s)

    def _say(self, kind: Kind, member: str) -> None:
        self._tasks.start(self._summarise(kind, member), f"say {kind} of {member}")

    async def _summarise(self, kind: Kind, member: str) -> None:
        topic, summary = _SAID[kind]
        body = await self._thread.query(lambda db: summary(db, member))
        self._publish(topic.format(member=member), json.dumps({"at": now_ms(), **body}, separators=(",", ":")).encode())
