"""What the worker's tasks share: the desks, the backlog, the deadlines, and who has to look at what."""

import asyncio
import time
from dataclasses import dataclass, field
from typing import Any, Final

from analytics.backlog import Backlog
from analytics.desk import Desk
from analytics.liveness import Deadlines
from analytics.notices import Notices
from fleet.batch import MachineKey
from fleet.registry import Registry
from store.base import Store

QUIET_MS: Final = 3_000
"""A history that is still coming in is learned from once it has paused for this long."""


@dataclass
class Floor:
    """All of it belongs to the event loop; only folds and refreshes run in threads, on values of their own.

    Attributes:
        behind: machines whose history is to be walked through, in order; the head task leaves them alone.
        urgent: machines whose findings a reading, or its absence, may just have changed.
        members_due: member -> epoch ms at which its outlooks and findings are to be made again.
        head: held while the head task looks; who has held it after a machine fell behind has that machine alone.
        announced: readings may have become durable since the dirty hours were read.
        heads_up, archives_up: something to do for the task of that name.
    """

    store: Store
    notices: Notices
    registry: Registry
    backlog: Backlog
    desks: dict[MachineKey, Desk] = field(default_factory=dict)
    deadlines: Deadlines[MachineKey] = field(default_factory=Deadlines)
    behind: dict[MachineKey, None] = field(default_factory=dict)
    urgent: dict[MachineKey, None] = field(default_factory=dict)
    members_due: Deadlines[str] = field(default_factory=Deadlines)
    head: asyncio.Lock = field(default_factory=asyncio.Lock)
    announced: bool = True
    heads_up: asyncio.Event = field(default_factory=asyncio.Event)
    archives_up: asyncio.Event = field(default_factory=asyncio.Event)
    derived_hours: int = 0
    progress: dict[str, Any] | None = None
    busy_ms: dict[str, float] = field(default_factory=dict)
    refreshed_ms: dict[str, int] = field(default_factory=dict)

    def now_ms(self) -> int:
        """The worker's clock, epoch ms."""
        return time.time_ns() // 1_000_000

    def announce(self) -> None:
        """Readings became durable, or may have."""
        self.announced = True
        self.heads_up.set()

    def fall_behind(self, key: MachineKey) -> None:
        """Walk through the machine's history before anything else is done with it."""
        self.behind[key] = None
        self.archives_up.set()

    def rest(self, desk: Desk) -> None:
        """The machine is up to date: look at it again when time, or a reading of the near future, asks for it."""
        due = [at for at in (desk.due_ms(), self.backlog.next_ms(desk.key)) if at is not None]
        self.deadlines.set(desk.key, min(due, default=None))

    def refresh(self, member: str, *, at_once: bool = False) -> None:
        """Make the member's outlooks and findings again: now, or when its last time has been worth its while.

        At most every second, and so that it takes a twentieth of the time, but for what a person did (``at_once``).
        """
        rest_ms = 0.0 if at_once else max(1000.0, 20 * self.busy_ms.get(member, 0.0))
        self.members_due.set(member, max(self.now_ms(), round(self.refreshed_ms.get(member, 0) + rest_ms)))
        self.archives_up.set()

    def judge(self, key: MachineKey) -> None:
        """Make the machine's findings again before anything else, and all of its member's in their time."""
        self.urgent[key] = None
        self.refresh(key.member)

    def desks_of(self, member: str) -> list[Desk]:
        """The member's machines, in the order of its file."""
        known = self.registry.members.get(member)
        keys = [MachineKey(member, machine.id) for machine in known.machines] if known else []
        return [self.desks[key] for key in keys if key in self.desks]
