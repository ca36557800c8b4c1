"""``resilian bench ingest``: CPU per message and messages a second of a collector with everything on.

A broker, a collector process and a publisher; what is measured, and how: :mod:`accelerator.bench.drain`.
"""

import os
import platform
import secrets
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from accelerator.bench import processes
from accelerator.bench.collector import collecting, count_stored
from accelerator.bench.drain import drain
from accelerator.bench.influx import is_influx, tidy
from accelerator.bench.load import STEP_MS, Load, machine_keys
from accelerator.output import Progress
from accelerator.settings import Settings
from fleet.clock import now_ms


@dataclass(frozen=True)
class Size:
    """How much is published: messages of so many machines of so many members."""

    count: int
    machines: int
    members: int


def new_load(size: Size, step_ms: int = STEP_MS) -> Load:
    """A load of members that no store knows yet; its readings are of the past."""
    start_ms = now_ms() - step_ms * (size.count // size.machines + 60)
    return Load(machine_keys(size.machines, size.members, f"bench-{secrets.token_hex(3)}"), start_ms, step_ms)


def circumstances(size: Size, broker: str, store_url: str) -> dict[str, Any]:
    """What figures depend on."""
    return {
        "messages": size.count,
        "machines": size.machines,
        "members": size.members,
        **surroundings(broker, store_url),
    }


def surroundings(broker: str, store_url: str) -> dict[str, Any]:
    """Broker, store and machine."""
    return {
        "broker": broker,
        "store": store_url.partition(":")[0],
        "cores": os.cpu_count(),
        "machine": platform.machine(),
    }


@asynccontextmanager
async def own_store(settings: Settings, folder: Path, load: Load) -> AsyncIterator[str]:
    """The URL of the store: that of the settings, without the load's buckets afterwards, or a new embedded one."""
    url = settings.store or f"duckdb:///{folder / 'store.duckdb'}"
    try:
        yield url
    finally:
        if is_influx(url):
            await tidy(url, settings.token or "", load)


async def measure(settings: Settings, size: Size, progress: Progress) -> dict[str, Any]:
    """The figures of one run, JSON values only.

    Raises:
        Missing: broker or store cannot be had.
        Found: messages did not arrive.
    """
    load = new_load(size)
    with tempfile.TemporaryDirectory(prefix="resilian-bench-") as name:
        folder = Path(name)
        async with own_store(settings, folder, load) as url, processes.broker(folder) as (address, broker_name):
            async with collecting(folder, address, load, url, settings.token) as collector:
                ours = await drain(address, collector, load, size.count, progress)
            ours["lost"] = size.count - await count_stored(url, settings.token, set(load.keys).__contains__)
            return {"ours": ours, **circumstances(size, broker_name, url)}
