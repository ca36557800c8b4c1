"""Our collector as the bridge of a benchmark, and how far it says it is."""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from accelerator.bench import processes
from accelerator.bench.load import Load, write_fleet
from accelerator.problems import Found
from bus.client import BrokerAddress
from bus.comfort import listen
from fleet.batch import MachineKey
from fleet.topics import HEALTH, TOUCHED
from ingest.listing import listed
from store import connect
from store.influx import RAW

WAIT_S: Final = 300


class Stored:
    """How many readings the collector says are stored, from its health messages; every 2 s at most."""

    def __init__(self, address: BrokerAddress) -> None:
        self._address = address
        self._count = -1
        self._changed = asyncio.Condition()

    async def watch(self) -> None:
        """Follow the health topic; runs until cancelled."""
        async for message in listen(self._address, [HEALTH.format(program="ingest")], qos=1):
            health = json.loads(message.payload) if message.payload else {}
            if health.get("alive") and health["broker"]["connected"]:
                async with self._changed:
                    self._count = health["stored"]
                    self._changed.notify_all()

    async def reaches(self, count: int) -> None:
        """Wait until that many are stored.

        Raises:
            Found: no more came for a long time.
        """
        try:
            async with asyncio.timeout(WAIT_S), self._changed:
                await self._changed.wait_for(lambda: self._count >= count)
        except TimeoutError:
            raise Found(f"the collector stored {self._count} of {count} readings in {WAIT_S} s") from None


class Announced:
    """Up to which device time each machine is stored, by the collector's announcements: within 0.2 s of the store."""

    def __init__(self, address: BrokerAddress) -> None:
        self._address = address
        self._newest: dict[MachineKey, int] = {}
        self._changed = asyncio.Condition()
        self.ready = asyncio.Event()

    async def watch(self) -> None:
        """Follow the announcements; runs until cancelled."""
        topic, ready = TOUCHED.format(member="+"), self.ready
        async for message in listen(
            self._address, [topic], qos=1, on_state=lambda connected, _: ready.set() if connected else None
        ):
            member = message.topic.rpartition("/")[2]
            async with self._changed:
                for machine, change in json.loads(message.payload)["machines"].items():
                    key = MachineKey(member, machine)
                    self._newest[key] = max(change["at"], self._newest.get(key, 0))
                self._changed.notify_all()

    async def reach(self, newest: dict[MachineKey, int]) -> None:
        """Wait until each machine is stored up to that time.

        Raises:
            Found: no more came for a long time.
        """

        def behind() -> list[MachineKey]:
            return [key for key, at in newest.items() if self._newest.get(key, 0) < at]

        try:
            async with asyncio.timeout(WAIT_S), self._changed:
                await self._changed.wait_for(lambda: not behind())
        except TimeoutError:
            raise Found(f"the collector did not announce {len(behind())} machines in {WAIT_S} s") from None


@dataclass(frozen=True)
class Collector:
    """A running collector; see :class:`accelerator.bench.bridge.Bridge`."""

    program: processes.Program
    load: Load
    announced: Announced
    spool: Path

    @property
    def pid(self) -> int:
        return self.program.pid

    async def stored(self, count: int) -> None:
        reached = asyncio.create_task(self.announced.reach(self.load.newest(count)))
        ended = asyncio.create_task(self.program.ends())
        try:
            await asyncio.wait({reached, ended}, return_when=asyncio.FIRST_COMPLETED)
            if not reached.done():
                raise Found(f"the collector ended with exit code {ended.result()} before all was stored; see its log")
            reached.result()
        finally:
            for waiting in (reached, ended):
                waiting.cancel()

    def buckets(self) -> list[str]:
        return sorted({key.member + RAW for key in self.load.keys})

    def kept(self) -> Counter[MachineKey]:
        return Counter(MachineKey(row["member"], row["machine"]) for row in listed(self.spool, kind="reject"))


def environment(folder: Path, address: BrokerAddress, store_url: str, token: str | None) -> dict[str, str]:
    """The settings of a collector of a benchmark, its files below ``folder``."""
    return {
        "RESILIAN_BROKER": address.url,
        "RESILIAN_STORE": store_url,
        "RESILIAN_STORE_TOKEN": token or "",
        "RESILIAN_FLEET": str(folder / "fleet"),
        "RESILIAN_DATA_DIR": str(folder / "data"),
        "RESILIAN_LOG": "error",
    }


@asynccontextmanager
async def collecting(
    folder: Path,
    address: BrokerAddress,
    load: Load,
    store_url: str,
    token: str | None,
    command: Sequence[str] = ("accelerator.main", "ingest"),
) -> AsyncIterator[Collector]:
    """A collector of the load's machines that is connected; ended by SIGTERM. ``command``: its module, arguments."""
    write_fleet(folder / "fleet", load.keys)
    program = processes.module(command, environment(folder, address, store_url, token))
    announced, stored = Announced(address), Stored(address)
    watchers = [asyncio.create_task(announced.watch()), asyncio.create_task(stored.watch())]
    try:
        await program.start()
        await stored.reaches(0)
        await announced.ready.wait()
        yield Collector(program, load, announced, folder / "data" / "ingest" / "spool.sqlite")
    finally:
        await program.stop()
        for watcher in watchers:
            watcher.cancel()


async def count_stored(store_url: str, token: str | None, wanted: Callable[[MachineKey], bool]) -> int:
    """How many readings of those machines the store has."""
    store = connect(store_url, token=token)
    await store.open()
    try:
        counts = await store.count_readings()
    finally:
        await store.close()
    return sum(number for key, number in counts.items() if wanted(key))
