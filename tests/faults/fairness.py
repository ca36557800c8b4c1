"""Fault 12: one member floods. How late the others' readings are stored, quiet and beside the flood, in one sitting.

usage: python -m tests.faults.fairness [--seconds 20] [--members 30] [--rate 50] [--times 20] [--beyond 7000]
                                       [--store duckdb or influxdb] [--store-rate 5000] [--rounds 1]

Three spans on one collector: quiet, one member at --times its share, one at --beyond messages a second. The store takes
--store-rate readings a second, so that the last is more than it can take; 0 is all it can. Ratios are to the quiet span
of the same round. ``cpu`` says whether there was processor enough to go by them: cores that the collector used, cores
that its threads were ready to use and did not get, and cores that were busy, with whatever else runs on the machine.
"""

import argparse
import asyncio
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from accelerator.bench.collector import Stored
from accelerator.bench.processes import broker, end
from accelerator.ledger_check import check
from accelerator.problems import Missing
from bus.client import BrokerAddress
from fleet.clock import now_ms
from store import connect
from tests.faults.timed import FILE, RATE, STORED
from tests.servers import InfluxServer, find_influxd

FLOODER = "member-0"
MACHINES, FLOODING = 5, 40
"""Machines of a member, and of the one that floods: 1,000 readings a second of each have a millisecond of their own."""


def write_fleet(folder: Path, members: int) -> None:
    """A registry of members with machines each."""
    (folder / "members").mkdir(parents=True)
    place = 'place = { commune = "Haguenau" }\n'
    (folder / "network.toml").write_text(f'name = "fairness"\n{place}timezone = "Europe/Paris"\n')
    for number in range(members):
        count = FLOODING if number == 0 else MACHINES
        owned = "".join(f'\n[[machines]]\nid = "machine-{n}"\nname = "machine-{n}"\n' for n in range(count))
        text = f'slug = "member-{number}"\nname = "member-{number}"\n{place}{owned}'
        (folder / "members" / f"member-{number}.toml").write_text(text)


@dataclass
class Flood:
    """One run: a network, a collector, its publishers."""

    folder: Path
    address: BrokerAddress
    members: int
    store: str
    token: str
    store_rate: int
    pid: int = 0
    """Of the collector."""

    @property
    def names(self) -> list[str]:
        return [f"member-{number}" for number in range(self.members)]

    async def publish(self, what: str, members: list[str], rate: int, seconds: float) -> int:
        """Publishers of these members as a process; how many messages they sent."""
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "tests.faults.members", "--broker", self.address.url,
            "--ledger", str(self.folder / f"{what}.jsonl"), "--members", ",".join(members),
            "--rate", str(rate), "--seconds", str(seconds),
            *(("--machines", str(FLOODING), "--nice", "10") if len(members) == 1 else ()),
            stdout=asyncio.subprocess.PIPE,
        )  # fmt: skip
        try:
            out, _ = await process.communicate()
        finally:
            await end(process)
        assert process.returncode == 0
        sent: int = json.loads(out)["sent"]
        return sent

    @asynccontextmanager
    async def collecting(self) -> AsyncIterator[Stored]:
        """A running collector that notes when readings are stored."""
        environment = {
            "RESILIAN_BROKER": self.address.url, "RESILIAN_STORE": self.store, "RESILIAN_STORE_TOKEN": self.token,
            "RESILIAN_LOG": "warning",
            "RESILIAN_FLEET": str(self.folder / "fleet"), "RESILIAN_DATA_DIR": str(self.folder / "data"),
            FILE: str(self.folder / "stored"), RATE: str(self.store_rate or ""),
        }  # fmt: skip
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "tests.faults.timed", "ingest", env={**os.environ, **environment}
        )
        self.pid = process.pid
        stored = Stored(self.address)
        watching = asyncio.create_task(stored.watch())
        try:
            await stored.reaches(0)
            yield stored
        finally:
            watching.cancel()
            await end(process)

    def late(self, began_ms: int, ended_ms: int, *, flooder: bool) -> dict[str, float]:
        """Milliseconds from publication to the store, of what was published in that span."""
        rows = np.fromfile(self.folder / "stored", STORED)
        own = rows["member"] == FLOODER.encode()
        rows = rows[(own if flooder else ~own) & (rows["at_ms"] >= began_ms) & (rows["at_ms"] < ended_ms)]
        times = rows["stored_ms"] - rows["at_ms"]
        p50, p99, worst = np.percentile(times, (50, 99, 100)) if len(times) else (np.nan,) * 3
        arrival = np.percentile(rows["arrived_ms"] - rows["at_ms"], 99) if len(times) else np.nan
        return {
            "readings": len(times), "p50_ms": float(p50), "p99_ms": float(p99), "worst_ms": float(worst),
            "p99_arrived_ms": float(arrival),
        }  # fmt: skip


@contextmanager
def watching_cpu(pid: int) -> Iterator[dict[str, float]]:
    """Cores that a process used and lacked, and cores that were busy in all, within the block; filled in at its end."""
    found: dict[str, float] = {}
    began, before = time.monotonic(), _cpu_seconds(pid)
    yield found
    seconds = time.monotonic() - began
    for name, then, now in zip(("used", "lacked", "busy"), before, _cpu_seconds(pid), strict=True):
        found[name] = round((now - then) / seconds, 2)


def _cpu_seconds(pid: int) -> tuple[float, float, float]:
    """Running, and waiting for a processor, of all threads of a process; busy time of all processors."""
    threads = [path.read_text().split() for path in Path(f"/proc/{pid}/task").glob("*/schedstat")]
    total = [int(ticks) for ticks in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:]]
    busy = (sum(total) - total[3] - total[4]) / os.sysconf("SC_CLK_TCK")
    return sum(int(one[0]) for one in threads) / 1e9, sum(int(one[1]) for one in threads) / 1e9, busy


async def measure(flood: Flood, *, rounds: int, seconds: float, rate: int, times: int, beyond: int) -> None:
    """Quiet, one member at ``times`` its share, one member with all it can; so many times, then the medians."""
    ratios: dict[str, list[float]] = {}
    async with flood.collecting() as stored:
        sent = await flood.publish("warm-up", flood.names, rate, 3)  # a store makes a place for each member
        for number in range(rounds):
            quiet = 0.0
            for what, flooding in (("quiet", None), ("flood", rate * (times - 1)), ("beyond", beyond)):
                began, name = now_ms(), f"{what}-{number}"
                running = [flood.publish(name, flood.names, rate, seconds)]
                if flooding is not None:
                    running.append(flood.publish(f"{name}-flood", [FLOODER], flooding, seconds))
                with watching_cpu(flood.pid) as cpu:
                    counts = await asyncio.gather(*running)
                ended = now_ms()
                sent += sum(counts)
                await stored.reaches(sent)
                others, flooder = (flood.late(began, ended, flooder=own) for own in (False, True))
                quiet = quiet or others["p99_ms"]
                ratios.setdefault(what, []).append(round(others["p99_ms"] / quiet, 2))
                figures = {"sent": sum(counts), "others": others, "flooder": flooder, "cpu": cpu}
                say({what: {**figures, "ratio": ratios[what][-1]}})
    if rounds > 1:
        say({"ratios": {what: {"median": statistics.median(found), "each": found} for what, found in ratios.items()}})


def say(figures: dict[str, Any]) -> None:
    """One line at once."""
    sys.stdout.write(json.dumps(figures) + "\n")
    sys.stdout.flush()


async def judge(flood: Flood) -> dict[str, Any]:
    """The oracle on all that was published."""
    ledger = flood.folder / "ledger.jsonl"
    with ledger.open("wb") as file:
        for part in sorted(flood.folder.glob("*.jsonl")):
            if part != ledger:
                file.write(part.read_bytes())
    opened = connect(flood.store, token=flood.token)
    await opened.open()
    try:
        return await check(opened, ledger)
    finally:
        await opened.close()


@contextmanager
def running_store(folder: Path, kind: str) -> Iterator[tuple[str, str]]:
    """URL and token of a fresh store: the embedded one, or a real InfluxDB."""
    program = find_influxd()
    if kind == "duckdb":
        yield f"duckdb:///{folder / 'store.duckdb'}", ""
        return
    if program is None:
        raise Missing("influxd is not built: scripts/build-influxd")
    (folder / "influxd").mkdir()
    server = InfluxServer(program, folder / "influxd")
    server.start()
    try:
        server.set_up()
        place = server.organisation()
        yield place.url, place.token
    finally:
        server.kill()


async def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--members", type=int, default=30)
    parser.add_argument("--rate", type=int, default=50)
    parser.add_argument("--times", type=int, default=20)
    parser.add_argument("--beyond", type=int, default=7_000)
    parser.add_argument("--store-rate", type=int, default=5_000)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--store", choices=("duckdb", "influxdb"), default="duckdb")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="resilian-fairness-") as name:
        folder = Path(name)
        write_fleet(folder / "fleet", options.members)
        with running_store(folder, options.store) as (url, token):
            async with broker(folder) as (address, _):
                flood = Flood(folder, address, options.members, url, token, options.store_rate)
                await measure(
                    flood, rounds=options.rounds, seconds=options.seconds,
                    rate=options.rate, times=options.times, beyond=options.beyond,
                )  # fmt: skip
            outcome = await judge(flood)
        say({"ledger": outcome})
    return 0 if outcome["ok"] else 1


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
