"""Ingest into the embedded store and into a real influxd, 5 and 30 members, in one run; medians of the runs asked for.

usage: python -m tests.bench.stores [--messages 200000] [--runs 3]
"""

import argparse
import asyncio
import json
import statistics
import sys
import tempfile
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from accelerator import settings
from accelerator.bench.ingest import Size, measure
from tests.servers import InfluxServer, find_influxd


def quiet(done: int, total: int, what: str = "") -> None:
    """Nothing to show between runs."""


async def runs(messages: int, count: int, members: int, influx: InfluxServer | None) -> dict[str, Any]:
    """The median run by CPU per message, and all runs' figures."""
    found = []
    for _ in range(count):
        chosen = settings.load()
        if influx is not None:
            there = influx.organisation()
            chosen = settings.load(store=there.url, store_token=SecretStr(there.token))
        found.append(await measure(chosen, Size(messages, 200, members), quiet))
    cpu = [one["ours"]["cpu_us_per_message"] for one in found]
    rate = [one["ours"]["messages_per_s"] for one in found]
    return {
        "store": found[0]["store"],
        "members": members,
        "cpu_us_per_message": statistics.median(cpu),
        "messages_per_s": statistics.median(rate),
        "rss_mb": max(one["ours"]["rss_mb"] for one in found),
        "lost": sum(one["ours"]["lost"] for one in found),
        "all_cpu": cpu,
        "all_rates": rate,
    }


async def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--messages", type=int, default=200_000)
    parser.add_argument("--runs", type=int, default=3)
    options = parser.parse_args()
    program = find_influxd()
    with tempfile.TemporaryDirectory(prefix="resilian-bench-") as folder:
        influx = None if program is None else InfluxServer(program, Path(folder))
        if influx is not None:
            influx.start()
            influx.set_up()
        try:
            for server in [None] if influx is None else [None, influx]:
                for members in (5, 30):
                    figures = await runs(options.messages, options.runs, members, server)
                    sys.stdout.write(json.dumps(figures) + "\n")
                    sys.stdout.flush()
        finally:
            if influx is not None:
                influx.kill()


if __name__ == "__main__":
    asyncio.run(main())
