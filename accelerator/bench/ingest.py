"""``resilian bench ingest``: CPU per message and messages a second of a collector with everything on.

A broker, a collector process and a publisher. The collector is connected and then held (SIGSTOP) while readings of 100
bytes of canonical JSON are published, so that what is measured is how it drains them with nobody but the broker beside
it. CPU is the collector process's alone, from before the first message until the last one is stored.
"""

import asyncio
import json
import os
import platform
import signal
import tempfile
import time
from pathlib import Path
from typing import Any

from accelerator.bench import processes
from accelerator.output import Progress
from accelerator.problems import Found
from accelerator.settings import Settings
from bus.client import BrokerAddress, Session
from bus.comfort import listen
from fleet.clock import now_ms
from fleet.topics import HEALTH, reading_topic
from store import connect

_WAIT_S = 300


def write_fleet(folder: Path, machines: int, members: int) -> list[tuple[str, str]]:
    """A registry of that many machines, spread evenly; (member, machine) of each."""
    (folder / "members").mkdir(parents=True)
    place = 'place = { commune = "Haguenau" }\n'
    (folder / "network.toml").write_text(f'name = "bench"\n{place}timezone = "Europe/Paris"\n', encoding="utf-8")
    keys = [(f"member-{index % members}", f"machine-{index}") for index in range(machines)]
    for member in sorted({member for member, _ in keys}):
        text = f'slug = "{member}"\nname = "{member}"\n{place}retention_days = 0\n'
        text += "".join(f'\n[[machines]]\nid = "{m}"\nname = "{m}"\n' for owner, m in keys if owner == member)
        (folder / "members" / f"{member}.toml").write_text(text, encoding="utf-8")
    return keys


def messages(keys: list[tuple[str, str]], count: int, start_ms: int) -> list[tuple[str, bytes]]:
    """``count`` readings, the machines in turn, a second apart on each machine."""
    topics = [reading_topic(member, machine) for member, machine in keys]
    found = []
    for index in range(count):
        turn, machine = divmod(index, len(keys))
        payload = (
            f'{{"at":{start_ms + turn * 1000},"state":"{("PRODUCING", "STANDBY")[index % 2]}",'
            f'"power_w":{1000 + index % 977}.5,"count":{turn},"seq":{turn},"boot":1}}'
        )
        found.append((topics[machine], payload.encode()))
    return found


async def measure(settings: Settings, *, count: int, machines: int, members: int, progress: Progress) -> dict[str, Any]:
    """The figures of one run, JSON values only.

    Raises:
        Missing: broker or store cannot be had.
        Found: messages did not arrive.
    """
    with tempfile.TemporaryDirectory(prefix="resilian-bench-") as name:
        folder = Path(name)
        keys = write_fleet(folder / "fleet", machines, members)
        store_url = settings.store or f"duckdb:///{folder / 'store.duckdb'}"
        environment = {
            "RESILIAN_STORE": store_url,
            "RESILIAN_FLEET": str(folder / "fleet"),
            "RESILIAN_DATA_DIR": str(folder / "data"),
            "RESILIAN_LOG": "warning",
            "RESILIAN_STORE_TOKEN": settings.token or "",
        }
        async with processes.broker(folder) as (address, broker_name):
            environment["RESILIAN_BROKER"] = address.url
            async with processes.program(["ingest"], environment) as collector:
                ours = await _one_run(address, collector.pid, keys, count, progress)
        ours["lost"] = count - await _stored(store_url, settings.token, keys)
        return {
            "ours": ours,
            "messages": count,
            "machines": machines,
            "members": members,
            "broker": broker_name,
            "store": store_url.partition(":")[0],
            "cores": os.cpu_count(),
            "machine": platform.machine(),
        }


async def _one_run(
    address: BrokerAddress, pid: int, keys: list[tuple[str, str]], count: int, progress: Progress
) -> dict[str, Any]:
    queue = messages(keys, count, now_ms() - 1000 * (count // len(keys) + 60))
    stored = Stored(address)
    watcher = asyncio.create_task(stored.watch())
    try:
        await stored.reaches(0)
        publisher = Session(address, client_id="resilian-bench-publisher")
        stop = asyncio.Event()
        running = asyncio.create_task(publisher.run(stop))
        os.kill(pid, signal.SIGSTOP)
        try:
            await publisher.publish_all(queue)
        finally:
            cpu, began = processes.cpu_seconds(pid), time.perf_counter()
            os.kill(pid, signal.SIGCONT)
        progress(count, count)
        await stored.reaches(count)
        took, cpu = time.perf_counter() - began, processes.cpu_seconds(pid) - cpu
        stop.set()
        await running
    finally:
        watcher.cancel()
    return {
        "cpu_us_per_message": round(cpu / count * 1e6, 2),
        "messages_per_s": round(count / took),
        "rss_mb": round(processes.rss_mb(pid), 1),
    }


class Stored:
    """How many readings the collector says are stored, from its health messages."""

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
            async with asyncio.timeout(_WAIT_S), self._changed:
                await self._changed.wait_for(lambda: self._count >= count)
        except TimeoutError:
            raise Found(f"the collector stored {self._count} of {count} readings in {_WAIT_S} s") from None


async def _stored(store_url: str, token: str | None, keys: list[tuple[str, str]]) -> int:
    store = connect(store_url, token=token)
    await store.open()
    try:
        counts = await store.count_readings()
    finally:
        await store.close()
    wanted = set(keys)
    return sum(number for key, number in counts.items() if tuple(key) in wanted)
