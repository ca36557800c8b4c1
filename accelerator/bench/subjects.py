"""Who is compared: our collector, Telegraf at its best and in its default settings, each on a broker of its own."""

import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from accelerator.bench import processes, telegraf
from accelerator.bench.bridge import Bridge
from accelerator.bench.collector import collecting
from accelerator.bench.influx import Influx, tidy
from accelerator.bench.load import Load
from bus.client import BrokerAddress

Who = Mapping[str, telegraf.Options | None]
"""Names of those compared; None is our collector, which has no settings that matter here."""
OURS: Final = "ours"
BEST: Final = "telegraf"
ALL: Final[Who] = {OURS: None, BEST: telegraf.BEST, "telegraf_default": telegraf.DEFAULT}
CONFLICTED: Final[Who] = {**ALL, "telegraf_untyped": telegraf.UNTYPED}


@dataclass(frozen=True)
class Place:
    """Where a comparison happens: an InfluxDB and the program of the other."""

    store_url: str
    token: str
    program: str

    @property
    def influx(self) -> Influx:
        """The InfluxDB."""
        return Influx(self.store_url, self.token)


@dataclass(frozen=True)
class Subject:
    """A bridge that is connected, its broker, and where it stores."""

    bridge: Bridge
    address: BrokerAddress
    influx: Influx

    async def count(self, field: str = "seq", where: str = "") -> int:
        """How many messages have the field in the store."""
        return sum(
            [await self.influx.count(name, telegraf.MEASUREMENT, field, where) for name in self.bridge.buckets()]
        )


@asynccontextmanager
async def subject(place: Place, load: Load, options: telegraf.Options | None) -> AsyncIterator[Subject]:
    """Our collector, or with ``options`` Telegraf; what it has stored is removed at the end."""
    influx = place.influx
    bucket = f"{load.keys[0].member}-telegraf"
    with tempfile.TemporaryDirectory(prefix="resilian-bench-") as name:
        folder = Path(name)
        try:
            async with processes.mosquitto(folder) as address:
                running: AbstractAsyncContextManager[Bridge]
                if options is None:
                    running = collecting(folder, address, load, place.store_url, place.token)
                else:
                    running = telegraf.running(place.program, folder, address, load, influx, bucket, options)
                async with running as bridge:
                    yield Subject(bridge, address, influx)
        finally:
            await influx.remove_buckets([bucket])
            await tidy(place.store_url, place.token, load)
