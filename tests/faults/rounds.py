"""kill -9 of the collector under load, judged by the ledger oracle; with a control and a sabotaged control.

usage: python -m tests.faults.rounds [--rounds 25] [--rate 5000] [--store URL] [--json]
"""

import argparse
import asyncio
import json
import os
import random
import signal
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from accelerator.bench.ingest import Stored
from accelerator.bench.processes import broker
from accelerator.ledger_check import check
from bus.client import BrokerAddress
from store import connect
from tests.faults.publisher import MEMBER, LedgerPublisher, stored_up_to

MACHINES = [f"machine-{number}" for number in range(50)]
HONEST, SABOTAGED = "accelerator.main", "tests.faults.sabotaged"


@dataclass
class Collector:
    """A collector process that can be killed and started again on the same data."""

    environment: dict[str, str]
    module: str
    process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        self.process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", self.module, "ingest", env={**os.environ, **self.environment}
        )

    async def end(self, number: int) -> None:
        assert self.process is not None
        if self.process.returncode is None:
            self.process.send_signal(number)
        await self.process.wait()


def write_fleet(folder: Path) -> None:
    (folder / "members").mkdir(parents=True)
    place = 'place = { commune = "Haguenau" }\n'
    (folder / "network.toml").write_text(f'name = "faults"\n{place}timezone = "Europe/Paris"\n')
    machines = "".join(f'\n[[machines]]\nid = "{name}"\nname = "{name}"\n' for name in MACHINES)
    (folder / "members" / f"{MEMBER}.toml").write_text(f'slug = "{MEMBER}"\nname = "F"\n{place}{machines}')


@asynccontextmanager
async def collecting(folder: Path, address: BrokerAddress, store: str, module: str) -> AsyncIterator[Collector]:
    """A running collector, connected; ended by SIGTERM."""
    environment = {
        "RESILIAN_BROKER": address.url,
        "RESILIAN_STORE": store,
        "RESILIAN_FLEET": str(folder / "fleet"),
        "RESILIAN_DATA_DIR": str(folder / "data"),
        "RESILIAN_LOG": "error",
    }
    collector = Collector(environment, module)
    await collector.start()
    stored = Stored(address)
    watching = asyncio.create_task(stored.watch())
    try:
        await stored.reaches(0)
        yield collector
    finally:
        watching.cancel()
        await collector.end(signal.SIGTERM)


async def trial(
    folder: Path, *, rounds: int, rate: int, module: str = HONEST, store_url: str | None = None, seed: int = 1
) -> dict[str, Any]:
    """Publish at ``rate``; kill -9 the collector ``rounds`` times at random moments; the oracle's figures."""
    write_fleet(folder / "fleet")
    store = store_url or f"duckdb:///{folder / 'store.duckdb'}"
    chance = random.Random(seed)
    ledger = folder / "ledger.jsonl"
    async with broker(folder) as (address, _):
        publisher = LedgerPublisher(address, ledger, MACHINES, rate=rate)
        stop = asyncio.Event()
        async with collecting(folder, address, store, module) as collector:
            publishing = asyncio.create_task(publisher.run(stop))
            for _ in range(rounds):
                await publisher.sends(int(rate * chance.uniform(0.3, 2.0)))
                await collector.end(signal.SIGKILL)
                await collector.start()
            await publisher.sends(rate if rounds else 5 * rate)
            stop.set()
            await publishing
            at = await publisher.sentinel()
            await stored_up_to(address, MACHINES[0], at, patience_s=120)
            await collector.end(signal.SIGTERM)
            assert collector.process is not None
            code = collector.process.returncode
    opened = connect(store, token=os.environ.get("RESILIAN_STORE_TOKEN"))
    await opened.open()
    try:
        outcome = await check(opened, ledger, None)
    finally:
        await opened.close()
    return {"rounds": rounds, "rate": rate, "exit_code": code, **outcome}


async def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=25)
    parser.add_argument("--rate", type=int, default=5000)
    options = parser.parse_args()
    figures: dict[str, Any] = {}
    for name, rounds, module in (
        ("control", 0, HONEST),
        ("kill -9", options.rounds, HONEST),
        ("sabotaged", options.rounds, SABOTAGED),
    ):
        with tempfile.TemporaryDirectory(prefix="resilian-faults-") as folder:
            figures[name] = await trial(Path(folder), rounds=rounds, rate=options.rate, module=module)
        sys.stdout.write(json.dumps({name: figures[name]}) + "\n")
        sys.stdout.flush()
    well = figures["control"]["ok"] and figures["kill -9"]["ok"] and not figures["sabotaged"]["ok"]
    return 0 if well else 1


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
