"""The worker: readings that became durable become hours, outlooks and findings.

Three tasks beside the broker's session: one at the head of the histories, which answers a new reading or a deadline
within a second or so; one in the archive, which walks through what lies further back and makes what takes long; one
that follows the registry. They are woken by ``net/v1/touched/+``, by deadlines and by the registry's files; nothing
polls.
The store is the truth: what a lost message would have said is found in the dirty hours at the next occasion.
"""

import asyncio
import json
import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NamedTuple

from analytics import archive, head
from analytics.backlog import Backlog
from analytics.desk import Desk
from analytics.floor import Floor
from analytics.notices import FINDINGS, OUTLOOK, Notices, load_findings
from analytics.patience import Patience
from analytics.states import Learned, resolve
from bus.client import BrokerAddress, Burst, Session
from bus.health import HealthReport, health_message, health_will
from fleet.batch import MachineKey
from fleet.records import Finding, FindingStatus
from fleet.registry import Registry, Watcher
from fleet.topics import TOUCHED
from store.base import Store, StoreUnavailable

PROGRAM: Final = "analytics"
_WORKER: Final = MachineKey("", "")
_SAVE_MS: Final = 5_000
_BUSY_S: Final = 0.8
"""Time between two looks while histories are walked through: a live reading still shows within 2 seconds."""
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class WorkerConfig:
    """What the worker is told.

    Attributes:
        broker: where readings are announced and findings are published.
        fleet_dir: folder of ``network.toml`` and ``members/``.
        client_id: its name at the broker; one worker a network.
        linger_s: how long announcements gather before the store is asked.
        overlap_ms: how far before the newest arrival dirty hours are read again; more than collectors' clocks differ.
    """

    broker: BrokerAddress
    fleet_dir: Path
    client_id: str = "resilian-analytics"
    linger_s: float = 0.2
    overlap_ms: int = 5_000


async def run(config: WorkerConfig, store: Store, *, stop: asyncio.Event) -> None:
    """Derive until ``stop`` is set; what was begun is then in the store, and the watermark with it.

    Raises:
        fleet.registry.RegistryMissing: there is no network to work for.
        store.base.StoreRefused: a person must act. A store that is merely away is waited for.
    """
    try:
        await _Worker(config, store, Watcher(config.fleet_dir), stop).run()
    except BaseExceptionGroup as errors:
        raise _cause(errors) from None


def _cause(error: BaseException) -> BaseException:
    """The first of the errors of several tasks: the one that a caller can decide on."""
    return _cause(error.exceptions[0]) if isinstance(error, BaseExceptionGroup) else error


class Saved(NamedTuple):
    """What the document ``worker`` says: the watermark, hours derived and hours waiting; and when it was written."""

    mark_ms: int
    hours: int
    waiting: int
    at_ms: int


class _Worker:
    def __init__(self, config: WorkerConfig, store: Store, watcher: Watcher, stop: asyncio.Event) -> None:
        self.config, self.store, self.watcher, self.stop = config, store, watcher, stop
        self.session = Session(
            config.broker,
            client_id=config.client_id,
            subscriptions=(TOUCHED.format(member="+"),),
            on_burst=self._on_touched,
            on_state=self._on_state,
            will=health_will(PROGRAM),
        )
        self.health = HealthReport(PROGRAM, self.session, self._health)
        self.floor = Floor(store, Notices(store, self.session), watcher.current, Backlog(0, config.overlap_ms))
        self.patience = Patience(stop, self.health.changed)
        self.told: asyncio.TimerHandle | None = None
        self.saved = Saved(-1, 0, 0, 0)

    async def run(self) -> None:
        hang_up = asyncio.Event()
        async with asyncio.TaskGroup() as group:
            group.create_task(self.session.run(hang_up))
            group.create_task(self._wake_to_stop())
            self.health.start()
            try:
                async with asyncio.TaskGroup() as work:
                    work.create_task(self._work())
                    work.create_task(self._follow_registry())
            finally:
                if self.told is not None:
                    self.told.cancel()
                self.health.stop()
                self.stop.set()
                hang_up.set()

    async def _work(self) -> None:
        if not await self.patience.insist(self._load):
            return
        async with asyncio.TaskGroup() as work:
            work.create_task(self._heads())
            work.create_task(self._archives())
        await self._save()

    async def _wake_to_stop(self) -> None:
        await self.stop.wait()
        self.floor.heads_up.set()
        self.floor.archives_up.set()

    # --- what is there at the start

    async def _load(self) -> None:
        floor = self.floor
        for document in await self.store.read_documents("worker"):
            mark = int(json.loads(document.body)["watermark_ms"])
            floor.backlog = Backlog(mark, self.config.overlap_ms)
        learned = {
            MachineKey(document.member, document.machine): Learned.from_json(document.body)
            for document in await self.store.read_documents(archive.MODEL)
        }
        findings = await load_findings(self.store)
        known = set(await self.store.known_machines())
        self._seat(floor.registry, learned, findings)
        for key, desk in floor.desks.items():
            desk.booted = key not in known
            desk.tail.whole = desk.booted
            if not desk.booted:
                floor.fall_behind(key)
        for key in findings.keys() - floor.desks.keys():
            await self._withdraw(key, findings[key])
        for member in floor.registry.members:
            floor.refresh(member)
        floor.announce()

    def _seat(
        self,
        registry: Registry,
        learned: dict[MachineKey, Learned],
        findings: dict[MachineKey, dict[str, Finding]],
    ) -> list[Desk]:
        """Give every machine of the registry its desk; those that are new."""
        new = []
        for member, machine in registry.machines():
            key = MachineKey(member.slug, machine.id)
            desk = self.floor.desks.get(key)
            if desk is None:
                desk = Desk(key, member, machine, resolve(machine, learned.get(key)), learned.get(key))
                desk.findings = dict(findings.get(key, {}))
                self.floor.desks[key] = desk
                new.append(desk)
            else:
                desk.member, desk.machine = member, machine
                archive.adopt(self.floor, desk)
        return new

    # --- the tasks

    async def _heads(self) -> None:
        floor = self.floor
        while not self.stop.is_set():
            await self.patience.wait(floor.heads_up, floor.deadlines.next_ms())
            began_ms = floor.now_ms()
            if await self.patience.insist(lambda: head.look(floor)):
                await self._save_sometimes()
                self._tell()
                took_s = (floor.now_ms() - began_ms) / 1000
                rest_s = _BUSY_S if floor.behind else self.config.linger_s
                await self.patience.pause(max(rest_s, took_s))  # others have half of the time at least

    async def _archives(self) -> None:
        floor = self.floor
        while not self.stop.is_set():
            worked = await self.patience.insist(lambda: archive.step(floor))
            self._tell()
            await self._save_sometimes()
            if worked is False:
                await self.patience.wait(floor.archives_up, archive.next_ms(floor))

    async def _follow_registry(self) -> None:
        async for registry in self.watcher.changes(self.stop):
            before, self.floor.registry = self.floor.registry, registry
            for problem in registry.problems:
                _log.warning("registry: %s", problem)
            for desk in self._seat(registry, {}, {}):
                self.floor.fall_behind(desk.key)
            here = {MachineKey(member.slug, machine.id) for member, machine in registry.machines()}
            for key in self.floor.desks.keys() - here:
                desk = self.floor.desks.pop(key)
                self.floor.deadlines.set(key, None)
                await self.patience.insist(lambda key=key, desk=desk: self._withdraw(key, desk.findings))  # type: ignore[misc]  # a lambda's default hides its type
            for slug, member in registry.members.items():
                if before.network != registry.network or before.members.get(slug) != member:
                    self.floor.refresh(slug, at_once=True)
            self.health.changed()

    async def _withdraw(self, key: MachineKey, findings: dict[str, Finding]) -> None:
        """The machine is nobody's any more: take back what was said of it."""
        bodies = [(key, OUTLOOK, ""), *((key, f"{FINDINGS}/{rule}", "") for rule in findings)]
        await self.floor.notices.write(bodies, self.floor.now_ms())
        self.floor.notices.withdraw(key, findings)

    # --- the watermark

    async def _save_sometimes(self) -> None:
        saved, floor = self.saved, self.floor
        done = not self._waiting()
        if (done and (saved.waiting or saved.mark_ms != floor.backlog.watermark_ms)) or (
            floor.now_ms() - saved.at_ms >= _SAVE_MS and saved.hours != floor.derived_hours
        ):
            await self._save()

    def _waiting(self) -> int:
        """Hours that were seen and are not derived; a machine that must be walked through counts one more."""
        return len(self.floor.backlog) + len(self.floor.behind)

    async def _save(self) -> None:
        """Keep the watermark; what still waits and the count of hours let others see whether the worker is done."""
        floor = self.floor
        now = Saved(floor.backlog.watermark_ms, floor.derived_hours, self._waiting(), floor.now_ms())
        if now[:3] == self.saved[:3]:
            return
        body = json.dumps({"watermark_ms": now.mark_ms, "derived_hours": now.hours, "waiting": now.waiting})
        try:
            await floor.notices.write([(_WORKER, "worker", body)], now.at_ms)
        except StoreUnavailable:
            return  # it moves with the next look; until then hours are derived twice
        self.saved = now

    # --- the broker

    def _on_touched(self, burst: Burst) -> None:
        self.session.acknowledge(burst)
        self.floor.announce()

    def _on_state(self, connected: bool, session_present: bool, reason: str) -> None:
        del reason
        if connected:
            self.floor.announce()  # announcements may have been lost meanwhile
            if not session_present:
                self._publish_all()
        self.health.changed()

    def _tell(self) -> None:
        """Figures change with every look: tell of them once a second."""
        if self.told is None or self.told.when() < asyncio.get_running_loop().time():
            self.told = asyncio.get_running_loop().call_later(1.0, self.health.changed)

    def _publish_all(self) -> None:
        """A broker that does not know us may not know what we retained either."""
        for desk in self.floor.desks.values():
            said = (finding for finding in desk.findings.values() if finding.status is not FindingStatus.CLEAR)
            self.floor.notices.publish(said)

    def _health(self) -> dict[str, Any]:
        floor, findings = self.floor, [0, 0]
        for desk in floor.desks.values():
            for finding in desk.findings.values():
                findings[finding.status is FindingStatus.FLAGGED] += 1
        waits = self.patience
        store = {"ok": waits.store_error is None, "since": waits.store_since_ms, "error": waits.store_error}
        more = {
            "store": store,
            "dirty": len(floor.backlog),
            "derived_hours": floor.derived_hours,
            "lag_ms": floor.backlog.lag_ms(floor.now_ms()),
            "findings": {"judged": sum(findings), "flagged": findings[1]},
            "progress": floor.progress,
        }
        return health_message(PROGRAM, self.session, registry_digest=floor.registry.digest, more=more)
