"""Handovers carried out: subscribes, publishes fences and hears them, and what other collectors say that they have."""

import asyncio
import json
import uuid
from collections.abc import Callable, Collection
from functools import partial
from typing import Any, Final

import structlog

from bus.client import Session
from fleet.topics import COMMAND, HANDOVER, HEALTH, is_collector
from ingest.errors import MemberClaimed
from ingest.handover import Fence, Members, claims, fence_bytes, read_fence, remember
from ingest.thread import SpoolThread

_log = structlog.get_logger(__name__)
_BEGIN: Final = {"do": "begin"}
_HEALTH: Final = HEALTH.format(program="")


class Handing:
    """The collector's side of handovers.

    Args:
        listed: members to begin with.
        publish: queues a message of the collector's session.
        on_change: whose messages are ours has changed, or will: told the member, and whether they are ours no more.

    Attributes:
        session: of the collector; set before anything is called.
        refused: becomes an exception when another collector has a member that this one shall begin with.
    """

    def __init__(
        self,
        members: Members,
        listed: Collection[str],
        thread: SpoolThread,
        publish: Callable[[str, bytes], None],
        on_change: Callable[[str, bool], None],
    ) -> None:
        self.session: Session
        self.refused: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._members, self._listed, self._thread = members, listed, thread
        self._publish, self._on_change = publish, on_change
        self._others: dict[str, dict[str, Any]] = {}
        self._awaited: dict[str, asyncio.Future[None]] = {}
        self._begun = False

    def connected(self) -> None:
        """Go on with what is not finished; the first time, look at what the others have before taking anything new."""
        for member in self._members.of("adopting"):
            self._ask(member)
        if not self._begun and self._listed:
            self._begun = True
            self._publish(COMMAND.format(program=self._members.program), json.dumps(_BEGIN).encode())

    async def begin(self) -> int:
        """Adopt the members to begin with; every other collector's health was heard before. How many are new.

        Our own message told us that: the broker delivers it after what it had retained.
        """
        new = [member for member in sorted(self._listed) if member not in self._members.known]
        for member in new:
            owner = next((name for name, health in self._others.items() if claims(health, member)), None)
            if owner is not None and not self.refused.done():
                text = f"{member} is collected by {owner}: leave it out, and move it with `resilian ingest move`"
                self.refused.set_exception(MemberClaimed(text))
                return 0
        for member in self._members.of("gone"):
            if member in self._listed:
                _log.warning("a member was moved away", member=member, to=self._members.known[member].other)
        await asyncio.gather(*(self.adopt(member) for member in new))
        return len(new)

    async def adopt(self, member: str) -> int:
        """Take a member over from whichever collector has it; returns when its fence came: 1, or 0 when it is ours."""
        if self._members.has(member):
            return 0
        if member not in self._members.of("adopting"):
            self._members.adopt(member, uuid.uuid4().hex)
            changed = {member: self._members.known[member]}
            self._on_change(member, False)
            await self._thread.query(lambda db: remember(db, changed))
        future = self._awaited.setdefault(member, asyncio.get_running_loop().create_future())
        self._ask(member)
        await asyncio.shield(future)
        return 1

    def _ask(self, member: str) -> None:
        """Subscribe first: a fence that comes before the messages that follow it would lose them."""
        self.session.topics.add(self._members.filters(member), partial(self._raise, member))

    def _raise(self, member: str) -> None:
        holding = self._members.known[member]
        if holding.state == "adopting":
            self._publish(HANDOVER, fence_bytes(Fence(member, self._members.program, holding.fence)))

    def hear(self, topic: str, payload: bytes) -> None:
        """Hear a fence or a collector's health; anything else is nothing."""
        if topic == HANDOVER:
            self._pass(read_fence(payload))
        elif topic.startswith(_HEALTH):
            self._health(topic.removeprefix(_HEALTH), payload)

    def _pass(self, fence: Fence | None) -> None:
        if fence is None or not self._members.pass_fence(fence):
            return
        _log.info("a member was handed over", member=fence.member, to=fence.to)
        went = fence.to != self._members.program
        if went and not self._members.everyone:
            self.session.topics.leave(self._members.filters(fence.member))
        self._on_change(fence.member, went)
        future = self._awaited.pop(fence.member, None)
        if future is not None and not future.done():
            future.set_result(None)

    def _health(self, program: str, payload: bytes) -> None:
        """Who has lost its spool takes everyone, but those that another collector has."""
        if program == self._members.program or not is_collector(program):
            return
        try:
            health = json.loads(payload or b"{}")
        except ValueError:
            return
        if not isinstance(health, dict) or not health.get("alive"):
            self._others.pop(program, None)
            return
        self._others[program] = health
        for member in health.get("members") or () if self._members.everyone else ():
            if member not in self._members.known:
                _log.info("another collector has a member", member=member, collector=program)
                self._members.yield_to(member, program)
                self._on_change(member, True)
