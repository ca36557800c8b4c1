"""The host application's side towards the broker: requests for rebirth, and the word that the host is there."""

import asyncio
from collections.abc import Callable, Collection
from typing import Final

import structlog

from bus.client import BrokerAddress
from fleet.clock import now_ms
from fleet.registry import Registry
from ingest.sparkplug.host import FORMAT, ROOT, Host
from ingest.sparkplug.memory import NodeKey
from ingest.sparkplug.payload import rebirth
from ingest.sparkplug.presence import DIALECTS, keep_present

_log = structlog.get_logger(__name__)
_CLOSE_S: Final = 3.0
"""How long a broker may take to hear that the host goes; otherwise the wills say so."""
NCMD: Final = "spBv1.0/{}/NCMD/{}"


class Application:
    """Publishes what the host wants said.

    Args:
        host: what follows the nodes.
        broker: where the nodes publish.
        host_id: what a node's configuration calls the primary host.
        members: the only ones that count; None is all.
        publish: queues a message of the collector's own session, retained or not.
        tell: takes a sentence for people.
    """

    def __init__(
        self,
        host: Host,
        broker: BrokerAddress,
        host_id: str,
        members: Collection[str] | None,
        publish: Callable[[str, bytes, bool], None],
        tell: Callable[[str], None],
    ) -> None:
        self._broker, self._host_id, self._members = broker, host_id, members
        self._publish, self._tell = publish, tell
        # One login may be one connection at the broker (use_username_as_clientid): a second one would end the
        # collector's session. Without a login the state has sessions, and so the wills that Sparkplug asks for.
        self._apart = broker.user is None and broker.cert_file is None
        self._stop: asyncio.Event | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        host.on_rebirth = self._ask

    def follow(self, registry: Registry) -> None:
        """The host is there as long as a machine has a Sparkplug feed."""
        wanted = any(
            route.format == FORMAT and route.topic.startswith(ROOT)
            for route in registry.routes().all
            if self._members is None or route.member in self._members
        )
        if wanted and self._stop is None:
            self._stop = asyncio.Event()
            if not self._apart:
                self._say(online=True)
                return
            for dialect in DIALECTS:
                task = asyncio.create_task(keep_present(self._broker, self._host_id, dialect, self._stop))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)
        elif not wanted and self._stop is not None:
            self.leave()
            self._stop = None

    def connected(self) -> None:
        """The broker may have lost what it had retained."""
        if self._stop is not None and not self._stop.is_set() and not self._apart:
            self._say(online=True)

    def leave(self) -> None:
        """Say that the host goes."""
        if self._stop is not None and not self._stop.is_set():
            self._stop.set()
            if not self._apart:
                self._say(online=False)

    async def close(self) -> None:
        """Wait until that is said."""
        self.leave()
        if self._tasks:
            _, late = await asyncio.wait(set(self._tasks), timeout=_CLOSE_S)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    def _say(self, *, online: bool) -> None:
        for dialect in DIALECTS:
            self._publish(dialect.topic.format(self._host_id), dialect.payload(online, now_ms()), True)

    def _ask(self, key: NodeKey, why: str, again: bool) -> None:
        _log.warning("a rebirth is asked for", member=key.member, node=key.node, reason=why, again=again)
        if not again:
            self._tell(f"Sparkplug node {key.node} of {key.member}: {why}; a rebirth is asked for")
        self._publish(NCMD.format(*key), rebirth(now_ms()), False)
