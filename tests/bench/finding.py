"""How long from a reading to the finding that it changes: broker, collector, store, worker and broker again.

usage: python -m tests.bench.finding [--members 5] [--machines 50] [--weeks 12] [--rounds 20] [--rate 0]
       (behind `scripts/bench finding`, which puts a real influxd beside it)

Machines that have not produced for 22 days have no life, so that nothing can be said of their use; the reading that
says one of them produces changes that. Measured from the publication of the reading to the arrival of the new finding
at a subscriber, machine after machine; with --rate others publish so many readings a second meanwhile.
"""

import argparse
import asyncio
import json
import os
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from typing import Any, Final

import numpy as np

from accelerator.bench.processes import broker, cpu_seconds, program
from bus.client import BrokerAddress, Burst, Session
from fleet.batch import MachineKey, ReadingBatch
from fleet.states import PRODUCING, STANDBY
from fleet.topics import FINDING, HEALTH, reading_topic
from store import connect
from tests.analytics.floor_world import WEEK_S, now_ms, rows, write_fleet

RULE: Final = "structural-underuse"
STEP_MS: Final = 600_000
LIFELESS_MS: Final = 22 * 86_400_000


def keys_of(options: argparse.Namespace) -> list[MachineKey]:
    """All machines, those of one member together."""
    members = [f"member-{number}" for number in range(options.members)]
    return [MachineKey(member, f"machine-{number}") for member in members for number in range(options.machines)]


def history(weeks: int, seed: int) -> ReadingBatch:
    """States every ten minutes up to a minute ago, on weekday mornings at work until 22 days ago; of machine 0."""
    end = now_ms() - 60_000
    at = np.arange(end - weeks * WEEK_S * 1000, end, STEP_MS)
    works = ((at // 86_400_000 + 3) % 7 < 5) & (at // 3_600_000 % 24 == 9) & (at < end - LIFELESS_MS)
    works &= np.random.default_rng(seed).random(len(at)) < 0.9
    return ReadingBatch((MachineKey("", ""),), rows(at, state=np.where(works, PRODUCING, STANDBY)))


async def fill(url: str, token: str, keys: list[MachineKey], weeks: int) -> None:
    """Put the histories into the store, as a collector would have."""
    store = connect(url, token=token)
    await store.open()
    for seed, key in enumerate(keys):
        await store.write_readings(ReadingBatch((key,), history(weeks, seed).rows))
    await store.close()


class Watch:
    """A subscriber of findings and of the worker's health; the publisher, too."""

    def __init__(self, address: BrokerAddress) -> None:
        topics = (FINDING.format(member="+", machine="+", rule=RULE), HEALTH.format(program="analytics"))
        self.session = Session(address, client_id="watch", subscriptions=topics, on_burst=self._take)
        self.reasons: dict[str, str] = {}
        self.health: dict[str, Any] = {}
        self._news = asyncio.Event()

    def _take(self, burst: Burst) -> None:
        for one in burst.deliveries:
            body = json.loads(one.payload) if one.payload else {}
            if one.topic.startswith("net/v1/health"):
                self.health = body
            else:
                self.reasons[one.topic] = body.get("reason", "")
        self.session.acknowledge(burst)
        self._news.set()

    async def changes(self, key: MachineKey, old: str) -> str:
        """The reason of the machine's finding, once it is another one."""
        topic = FINDING.format(member=key.member, machine=key.machine, rule=RULE)
        while self.reasons.get(topic, old) == old:
            self._news.clear()
            await self._news.wait()
        return self.reasons[topic]

    async def settled(self, machines: int) -> None:
        """Every machine is said to have no life, and nothing waits."""
        while len(self.reasons) < machines or set(self.reasons.values()) != {"life"} or self.health.get("dirty"):
            self._news.clear()
            await self._news.wait()


@asynccontextmanager
async def following(address: BrokerAddress) -> AsyncIterator[Watch]:
    """A subscriber that is connected."""
    watch, stop = Watch(address), asyncio.Event()
    async with asyncio.TaskGroup() as group:
        group.create_task(watch.session.run(stop))
        await watch.session.wait_connected()
        try:
            yield watch
        finally:
            stop.set()


async def others(session: Session, keys: list[MachineKey], rate: int) -> None:
    """Publish readings of these machines, so many a second in all, until cancelled."""
    turn = 0
    while True:
        until = time.monotonic() + 0.05
        for _ in range(max(1, rate // 20)):
            key, turn = keys[turn % len(keys)], turn + 1
            payload = json.dumps({"at": now_ms(), "state": "STANDBY", "seq": turn})
            session.publish(reading_topic(*key), payload.encode())
        await asyncio.sleep(max(0.0, until - time.monotonic()))


async def measure(options: argparse.Namespace, url: str, token: str, folder: Path) -> dict[str, Any]:
    """Milliseconds from reading to finding, and what the worker's catching up took."""
    keys = keys_of(options)
    machines = [
        f'id = "machine-{number}"\nname = "machine {number}"\nevery = 600' for number in range(options.machines)
    ]
    write_fleet(folder / "fleet", **{f"member-{number}": machines for number in range(options.members)})
    await fill(url, token, keys, options.weeks)
    async with AsyncExitStack() as stack:
        address, _ = await stack.enter_async_context(broker(folder))
        settings = {
            "RESILIAN_BROKER": address.url, "RESILIAN_STORE": url, "RESILIAN_STORE_TOKEN": token,
            "RESILIAN_FLEET": str(folder / "fleet"), "RESILIAN_DATA_DIR": str(folder / "data"),
            "RESILIAN_LOG": "warning",
        }  # fmt: skip
        watch = await stack.enter_async_context(following(address))
        await stack.enter_async_context(program(["ingest"], settings))
        began = time.monotonic()
        worker = await stack.enter_async_context(program(["analytics"], settings))
        await watch.settled(len(keys))
        caught_up = {"seconds": round(time.monotonic() - began, 1), "cpu_s": round(cpu_seconds(worker.pid), 1)}
        quiet, loud = keys[:: max(1, len(keys) // options.rounds)][: options.rounds], keys[1:]
        if options.rate:
            noise = asyncio.create_task(others(watch.session, loud, options.rate))
            stack.push_async_callback(_cancel, noise)
        took: list[float] = []
        for key in quiet:
            await asyncio.sleep(np.random.default_rng(len(took)).uniform(0.2, 1.5))  # at any moment of a linger
            published = time.monotonic()
            payload = json.dumps({"at": now_ms(), "state": "PRODUCING"}).encode()
            watch.session.publish(reading_topic(*key), payload)
            await watch.changes(key, "life")
            took.append((time.monotonic() - published) * 1000)
    p50, p90, worst = np.percentile(took, (50, 90, 100)).round().tolist()
    return {"finding_ms": {"p50": p50, "p90": p90, "worst": worst}, "catching_up": caught_up}


async def _cancel(task: asyncio.Task[None]) -> None:
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


def main() -> int:
    parser = argparse.ArgumentParser(prog="scripts/bench finding")
    for name, number in (("members", 5), ("machines", 50), ("weeks", 12), ("rounds", 20), ("rate", 0)):
        parser.add_argument(f"--{name}", type=int, default=number)
    options = parser.parse_args()
    url, token = os.environ["RESILIAN_STORE"], os.environ.get("RESILIAN_STORE_TOKEN", "")
    with tempfile.TemporaryDirectory(prefix="resilian-finding-") as folder:
        figures = asyncio.run(measure(options, url, token, Path(folder)))
    sys.stdout.write(json.dumps({**figures, **vars(options)}) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
