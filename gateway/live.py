"""What was heard last on ``net/v1/#``, and who wants to be told when it changes.

Nothing here decides who may see what: :mod:`gateway.access` does.
"""

import asyncio
import logging
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final, Literal, NamedTuple

from pydantic import ValidationError

from fleet.batch import MachineKey
from fleet.records import Finding
from fleet.states import STATES, UNKNOWN, state_code
from gateway.messages import Health, Rejects, SessionLoss, Touched, TouchedMachine, Unclaimed

log: Final = logging.getLogger(__name__)
SUBSCRIPTION: Final = "net/v1/#"
_KEPT_LOSSES: Final = 5
"""Of lost sessions, and of messages thrown away: any client can cause the latter, and must not hide the former."""
_QUEUE: Final = 1000

Kind = Literal["state", "finding", "health", "rejects", "unclaimed", "session", "registry", "picture"]


class Change(NamedTuple):
    """What changed; ``key`` names the machine, or the member or program with an empty machine."""

    kind: Kind
    key: MachineKey


@dataclass(slots=True)
class Now:
    """The newest reading heard of a machine; times in epoch ms, ``state`` a code of ``fleet.states`` or None.

    ``power_at`` is the time of the newest reading that told the power, ``highest_w`` the highest power heard, watts.
    """

    at: int
    arrived: int
    state: int | None = None
    state_since: int | None = None
    power_w: float | None = None
    utilisation: float | None = None
    counter: int | None = None
    power_at: int | None = None
    highest_w: float | None = None


class Live:
    """Last words of the other programs, in memory."""

    def __init__(self) -> None:
        self.machines: dict[MachineKey, Now] = {}
        self.health: dict[str, Health] = {}
        self.rejects: dict[str, Rejects] = {}
        self.unclaimed: dict[str, Unclaimed] = {}
        self.losses: deque[SessionLoss] = deque()
        self.findings: dict[tuple[MachineKey, str], Finding | None] = {}
        self.malformed = 0
        self._listeners: set[asyncio.Queue[Change]] = set()

    def hear(self, topic: str, payload: bytes) -> Change | None:
        """Take in one message and tell the listeners; what cannot be read is counted and changes nothing."""
        levels = topic.split("/")
        if len(levels) < 4:
            return None
        take = self._takers.get(levels[2])
        if take is None:
            return None
        try:
            change = take(self, levels[3:], payload)
        except ValidationError as error:
            self.malformed += 1
            log.warning("message on %s cannot be read: %s", topic, error.errors(include_url=False)[0]["msg"])
            return None
        if change is not None:
            self.tell(change)
        return change

    def tell(self, change: Change) -> None:
        """Hand a change to every listener; one that does not keep up loses its oldest."""
        for queue in self._listeners:
            if queue.full():
                queue.get_nowait()
            queue.put_nowait(change)

    @property
    def listening(self) -> int:
        """Number of listeners."""
        return len(self._listeners)

    @asynccontextmanager
    async def changes(self) -> AsyncIterator[asyncio.Queue[Change]]:
        """A queue of the changes from now on; it belongs to the caller until the end of the block."""
        queue: asyncio.Queue[Change] = asyncio.Queue(_QUEUE)
        self._listeners.add(queue)
        try:
            yield queue
        finally:
            self._listeners.discard(queue)

    def _touched(self, levels: list[str], payload: bytes) -> Change | None:
        change = None
        for machine, heard in Touched.model_validate_json(payload).machines.items():
            key = MachineKey(levels[0], machine)
            before = self.machines.get(key)
            if before is not None and heard.at < before.at:
                continue  # history and resends: never shown as new
            self.machines[key] = _newest(heard, before)
            if change is not None:
                self.tell(change)
            change = Change("state", key)
        return change

    def _finding(self, levels: list[str], payload: bytes) -> Change | None:
        if len(levels) != 3:
            return None
        key, rule = MachineKey(levels[0], levels[1]), levels[2]
        self.findings[key, rule] = Finding.model_validate_json(payload) if payload else None
        return Change("finding", key)

    def _health(self, levels: list[str], payload: bytes) -> Change | None:
        if not payload:
            self.health.pop(levels[0], None)
        else:
            self.health[levels[0]] = Health.model_validate_json(payload)
        return Change("health", MachineKey(levels[0], ""))

    def _rejects(self, levels: list[str], payload: bytes) -> Change | None:
        self.rejects[levels[0]] = Rejects.model_validate_json(payload) if payload else Rejects()
        return Change("rejects", MachineKey(levels[0], ""))

    def _unclaimed(self, levels: list[str], payload: bytes) -> Change | None:
        self.unclaimed[levels[0]] = Unclaimed.model_validate_json(payload) if payload else Unclaimed()
        return Change("unclaimed", MachineKey(levels[0], ""))

    def _session(self, levels: list[str], payload: bytes) -> Change | None:
        if not payload:
            return None
        loss = SessionLoss.model_validate_json(payload)
        self.losses.appendleft(loss if loss.program else loss.model_copy(update={"program": levels[0]}))
        alike = [one for one in self.losses if (one.messages is None) == (loss.messages is None)]
        if len(alike) > _KEPT_LOSSES:
            self.losses.remove(alike[-1])
        return Change("session", MachineKey(levels[0], ""))

    _takers: Final[dict[str, Callable[["Live", list[str], bytes], Change | None]]] = {
        "touched": _touched,
        "findings": _finding,
        "health": _health,
        "rejects": _rejects,
        "unclaimed": _unclaimed,
        "session": _session,
    }


def _newest(heard: TouchedMachine, before: Now | None) -> Now:
    """What one reading leaves out, such as the state in a reading of power, is as it was."""
    old = before or Now(heard.at, heard.arrived)
    state = old.state if heard.state is None else _code(heard.state)
    since = old.state_since if before is not None and state == old.state else heard.at
    return Now(
        at=heard.at,
        arrived=heard.arrived,
        state=state,
        state_since=since if state is not None else None,
        power_w=old.power_w if heard.power_w is None else heard.power_w,
        utilisation=old.utilisation if heard.utilisation is None else heard.utilisation,
        counter=old.counter if heard.counter is None else heard.counter,
        power_at=old.power_at if heard.power_w is None else heard.at,
        highest_w=max((power for power in (old.highest_w, heard.power_w) if power is not None), default=None),
    )


def _code(state: str | int | None) -> int | None:
    if state is None:
        return None
    if isinstance(state, int):
        return state if 0 <= state < len(STATES) else None
    try:
        return state_code(state)
    except KeyError:
        return UNKNOWN
