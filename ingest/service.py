"""The collector as a program: broker to spool to store, until told to stop."""

import asyncio
import contextlib
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any, Final

import structlog

from bus.client import Memory, OutboxFull, PacketTooLarge, Session, SessionClosed
from bus.health import HealthReport, health_message, health_will
from fleet.batch import ReadingBatch
from fleet.clock import now_ms
from fleet.registry import Registry, Watcher
from fleet.topics import COMMAND, of_devices
from ingest import handover, losses, seen, unclaimed
from ingest.announce import Announcer
from ingest.background import Background
from ingest.collector import Collector
from ingest.commands import Commands
from ingest.config import DROPPED, IngestConfig
from ingest.errors import SpoolFull
from ingest.forwarder import Forwarder
from ingest.gaps import memory as gaps
from ingest.handing import Handing
from ingest.handover import Members
from ingest.hot import Gathering
from ingest.rejects import Reject
from ingest.report import Report
from ingest.retry import retry
from ingest.shares import Shares
from ingest.sparkplug import memory
from ingest.sparkplug.application import Application
from ingest.sparkplug.host import Host
from ingest.thread import SpoolThread
from ingest.touched import Touched
from ingest.twins import Twins
from ingest.work import Work
from store import Store

__all__ = ["IngestConfig", "run"]

_log = structlog.get_logger(__name__)
SPOOL_FILE: Final = "spool.sqlite"
_BEAT_S: Final = 2.0
_PURGE_BEATS: Final = 15
_LAST_WORDS_S: Final = 1.0
"""How long a stop waits, after ``flush_s``, to say what is kept of the members' messages."""


async def run(config: IngestConfig, store: Store, *, stop: asyncio.Event) -> None:
    """Collect until ``stop`` is set; then everything that was acknowledged is in the spool or the store.

    Raises:
        RegistryMissing: there is no network in ``fleet_dir``.
        SpoolNewer, SpoolFull: the spool cannot be opened.
        MemberClaimed: another collector has a member that this one was told to begin with.
        Exception: a bug; nothing that was acknowledged is lost by it.
    """
    watcher, report = Watcher(config.fleet_dir), Report()
    thread = SpoolThread(config.data_dir / SPOOL_FILE, config.limits, report.damaged)
    await thread.open()
    try:
        base = await thread.read(seen.next_epochs)
        entries = await thread.read(seen.load)
        before = await thread.read(losses.before)
        host, numbers = Host(await thread.read(memory.load)), await thread.read(gaps.load)
        gathering = Gathering(watcher.current, seen.Redeliveries(entries, base), host, numbers)
        members = Members(config.program, everyone=not config.name, known=await thread.read(handover.load))
        await _Service(config, store, thread, watcher, gathering, report, members, before).run(stop)
    finally:
        await thread.close()


class _Service:
    def __init__(
        self,
        config: IngestConfig,
        store: Store,
        thread: SpoolThread,
        watcher: Watcher,
        gathering: Gathering,
        report: Report,
        members: Members,
        before: losses.Before,
    ) -> None:
        self.config = config
        self._before = before
        self._members = members
        self._report = report
        self._thread, self._watcher, self._gathering = thread, watcher, gathering
        self._shares = Shares()
        self._collector = Collector(gathering, thread, self._on_batch, self._on_kept, self._complete)
        self._touched = Touched(self._publish)
        self._announcer = Announcer(thread, self._retain, members.takes)
        self._losses = losses.Losses(config.program, thread, store, self._publish, before)
        self._twins = Twins(store)
        self._forwarder = Forwarder(
            thread, self._twins, on_stored=self._touched.add, on_refused=self._on_refused, on_state=self._changed,
            on_lost=self._report.errors.append, pace=config.pace,
        )  # fmt: skip
        self._stopping = False
        self._new_from = 0
        self._handing = Handing(members, config.members, thread, self._publish, self._handed_over)
        self._commands = Commands(
            thread, self._collector, self._forwarder, watcher, self._announcer, self._handing
        )  # fmt: skip
        self._jobs = Background()
        gathering.on_claim = report.claim
        self._sparkplug = Application(
            gathering.sparkplug, config.broker, config.session_id, None, self._publish, report.errors.append
        )
        gathering.on_other, gathering.routing.takes = self._on_other, members.takes

    # --- life

    async def run(self, stop: asyncio.Event) -> None:
        config, before = self.config, self._before
        self._collector.safe_ms, self._report.broker_dropped = before.safe_ms, before.dropped
        self._losses.safe.beat(asyncio.get_running_loop().time(), before.long_safe_ms)
        self._session = Session(
            config.broker, client_id=config.session_id, subscriptions=config.subscriptions(self._members),
            retained_once=of_devices,
            on_burst=self._collector.on_burst, on_state=self._on_state, on_session_lost=self._on_session_lost,
            will=health_will(config.program), expect_session=before.had_session,
            memory=Memory(before.mark, self._doubt_session, self._on_session_marked),
        )  # fmt: skip
        self._collector.session = self._handing.session = self._session
        self._health = HealthReport(config.program, self._session, self._compose)
        self._health.start()
        self._sparkplug.follow(self._watcher.current)
        session_stop = asyncio.Event()
        work: list[Coroutine[Any, Any, None]] = [
            self._session.run(session_stop), self._forwarder.run(), self._losses.run(), self._beat(), self._follow(stop)
        ]  # fmt: skip
        tasks: list[asyncio.Task[Any]] = [asyncio.create_task(coroutine) for coroutine in work]
        try:
            steps: tuple[Callable[[], Coroutine[Any, Any, Any]], ...] = (stop.wait, self._finish)
            for step in steps:
                tasks.append(asyncio.create_task(step()))
                await self._until(tasks[-1], tasks)
            session_stop.set()
            await self._until(tasks[0], tasks)
        finally:
            self._collector.close()
            self._handing.refused.cancel()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await self._jobs.close(_LAST_WORDS_S)
            await self._losses.close(_LAST_WORDS_S)
            await self._sparkplug.close()
            await self._announcer.close(0)

    async def _until(self, wanted: asyncio.Task[Any], tasks: list[asyncio.Task[Any]]) -> None:
        """Wait for ``wanted``; raise what a task, the collector or the beginning failed with."""
        waiting: set[asyncio.Future[Any]] = {*tasks, self._collector.failed, self._handing.refused}
        while not wanted.done():
            done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()

    async def _finish(self) -> None:
        """Stop reading, commit, acknowledge, flush to the store for a while, say the last words."""
        self._stopping = True
        self._session.pause()
        try:
            async with asyncio.timeout(self.config.flush_s):
                await self._collector.drained()
                if self._forwarder.state.ok:
                    await self._forwarder.flushed()
        except TimeoutError:
            pass  # it stays in the spool, or at the broker
        self._touched.close()
        self._sparkplug.leave()
        await self._announcer.close(_LAST_WORDS_S)
        self._health.stop()

    async def _follow(self, stop: asyncio.Event) -> None:
        """Route by the registry as it changes."""
        await self._announcer.everything()
        await self._claim(self._watcher.current)
        async for registry in self._watcher.changes(stop):
            self._gathering.routing.use(registry)
            self._sparkplug.follow(registry)
            _log.info("the registry changed", digest=registry.digest, problems=len(registry.problems))
            self._changed()
            await self._claim(registry)

    async def _claim(self, registry: Registry) -> None:
        """What was sent on topics that a machine has now becomes readings."""
        found = await self._thread.query(unclaimed.topics)
        claimed = [(member, topic) for member, topic in found if self._gathering.routing.is_claimed(topic)]
        if claimed:
            repaired = await retry(self._thread, self._collector, registry, "unclaimed")
            await self._thread.query(partial(unclaimed.forget_devices, topics=[topic for _, topic in claimed]))
            _log.info("devices were claimed", topics=len(claimed), messages=repaired)
            self._announcer.changed("unclaimed", {member for member, _ in claimed})

    async def _beat(self) -> None:
        self._report.filling.begin(self._thread.level)
        beats, then = 0, asyncio.get_running_loop().time()
        while True:
            await asyncio.sleep(_BEAT_S)
            beats, now = beats + 1, asyncio.get_running_loop().time()
            self._report.level(now, self._thread.level, self._thread.room_bytes, bool(self._collector.full))
            self._report.beat(self._gathering.counts["received"], now - then, self._shares.heard())
            then = now
            self._gathering.sparkplug.remind(now_ms())
            self._changed()
            if beats % _PURGE_BEATS == 0:
                self._gathering.numbers.expire(now_ms())
                self._gathering.sparkplug.expire(now_ms())
                with contextlib.suppress(SpoolFull):  # deleting takes room, too; the collector says so
                    await self._thread.submit(lambda spool: spool.forget_stored(now_ms()))

    # --- what happens

    def _complete(self, work: Work) -> None:
        work.handovers = self._members.hand_over()
        if work.batch:
            now, lanes = asyncio.get_running_loop().time(), self._forwarder.lanes.members
            work.batch, work.apart = self._shares.split(work.batch, now, lanes)

    def _on_batch(self, batch_id: int, batch: ReadingBatch, lane: str) -> None:
        self._forwarder.offer(batch_id, batch, lane)
        self._report.batch(batch)

    def _on_kept(self, work: Work) -> None:
        self._report.kept(work)
        self._announcer.changed("reject", {reject.member for reject in work.rejects})
        self._announcer.changed("unclaimed", {message.member for message in work.unclaimed})

    def _on_refused(self, rejects: list[Reject]) -> None:
        self._gathering.counts["rejected"] += sum(len(reject.faults) for reject in rejects)
        self._announcer.changed("reject", {reject.member for reject in rejects})

    def _on_state(self, connected: bool, session_present: bool, reason: str) -> None:
        del session_present
        if reason and not self._stopping:
            _log.warning("the broker", connected=connected, reason=reason)
        if connected:
            self._sparkplug.connected()
            self._handing.connected()
        self._changed()

    def _doubt_session(self) -> None:
        self._losses.doubt(self._collector.safe_ms)

    def _on_session_lost(self, reason: str) -> None:
        self._new_from = self._gathering.redeliveries.forget(self._session.epoch)
        self._gathering.sparkplug.doubt(now_ms(), "the broker lost our session")
        self._losses.session(reason)

    def _on_session_marked(self, mark: int) -> None:
        self._losses.marked(mark, self._new_from)

    def _on_other(self, topic: str, payload: bytes) -> None:
        if topic == DROPPED:
            more = self._report.dropped(payload)
            self._losses.overflow(more, self._report.broker_dropped)
            self._changed()
        elif topic == COMMAND.format(program=self.config.program):
            self._jobs.start(self._commands.obey(payload), "obey a command")
        else:
            self._handing.hear(topic, payload)

    def _handed_over(self, member: str, gone: bool) -> None:
        self._twins.forget(member)
        if gone:
            self._gathering.numbers.forget(member)
            self._gathering.sparkplug.forget(member)
        self._gathering.routing.use(self._watcher.current)
        self._changed()

    # --- what is said

    def _publish(self, topic: str, payload: bytes, retain: bool = False) -> None:
        try:
            self._session.publish(topic, payload, retain=retain)
        except (OutboxFull, PacketTooLarge, SessionClosed) as error:
            _log.warning("not published", topic=topic, reason=str(error) or type(error).__name__)

    def _retain(self, topic: str, payload: bytes) -> None:
        self._publish(topic, payload, retain=True)

    def _changed(self) -> None:
        self._health.changed()

    def _compose(self) -> dict[str, Any]:
        more = self._report.figures(self._gathering, self._thread, self._collector, self._forwarder, self._watcher)
        more |= {"last_command": self._commands.last, "losses": self._losses.told(), **self._members.figures()}
        digest = self._watcher.current.digest
        return health_message(self.config.program, self._session, registry_digest=digest, more=more)
