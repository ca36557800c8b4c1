"""Telegraf as the bridge of a benchmark: its settings, its process, how far it says it is.

It stores the same fields under the same tags as our collector. Its settings are those that its documentation gives;
whatever it needs for our payload is in :func:`configuration`.
"""

import asyncio
import re
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from accelerator.bench import processes
from accelerator.bench.collector import WAIT_S
from accelerator.bench.influx import Influx
from accelerator.bench.load import Load
from accelerator.problems import Found
from bus.client import BrokerAddress
from bus.comfort import publish_once
from fleet.batch import MachineKey
from fleet.topics import reading_topic

MEASUREMENT: Final = "readings"
_WROTE: Final = re.compile(rb"Wrote batch of (\d+) metrics")
_PROBE: Final = "probe"


@dataclass(frozen=True)
class Options:
    """Settings of Telegraf that decide on loss and speed; the defaults are its own, but for ``qos``.

    Attributes:
        qos: its own default is 0, with which nothing at all is kept for it while it is away.
        persistent_session: acknowledge after the write, and have the broker queue while it is away.
        max_undelivered: messages read from the broker and not written yet.
        batch, buffer, flush_s: metrics of one write, metrics held at most, seconds between writes of less.
        encoding: of what is written to the store.
        parser: ``json_v2`` keeps the types of fields, ``json`` makes every number a float.
        typed: the types of the fields are declared; otherwise the parser takes those of the payload.
    """

    qos: int = 1
    persistent_session: bool = False
    max_undelivered: int = 1_000
    batch: int = 1_000
    buffer: int = 10_000
    flush_s: int = 10
    encoding: str = "gzip"
    parser: str = "json_v2"
    typed: bool = True


DEFAULT: Final = Options()
BEST: Final = Options(
    persistent_session=True, max_undelivered=20_000, batch=10_000, buffer=100_000, flush_s=1, encoding="identity"
)
"""Nothing lost by a kill, large writes, no compression towards a server on the same machine: as our collector does."""
UNTYPED: Final = replace(BEST, typed=False)

_FIELDS: Final = {"state": "string", "power_w": "float", "count": "int", "seq": "int", "boot": "int"}


def configuration(address: BrokerAddress, influx: Influx, bucket: str, options: Options) -> str:
    """The configuration file."""
    return f"""\
[agent]
  metric_batch_size = {options.batch}
  metric_buffer_limit = {options.buffer}
  flush_interval = "{options.flush_s}s"
  omit_hostname = true
  debug = true  # for "Wrote batch of ...", a line a write
[[inputs.mqtt_consumer]]
  servers = ["tcp://{address.host}:{address.port}"]
  topics = ["m/#"]
  qos = {options.qos}
  persistent_session = {str(options.persistent_session).lower()}
  client_id = "{"telegraf-bench" if options.persistent_session else ""}"
  max_undelivered_messages = {options.max_undelivered}
  topic_tag = ""
  name_override = "{MEASUREMENT}"
  data_format = "{options.parser}"
{_parser(options)}
  [[inputs.mqtt_consumer.topic_parsing]]
    topic = "m/+/+/reading"
    tags = "_/member/machine/_"
[[outputs.influxdb_v2]]
  urls = ["{influx.address}"]
  token = "{influx.token}"
  organization = "{influx.org}"
  bucket = "{bucket}"
  content_encoding = "{options.encoding}"
"""


def _parser(options: Options) -> str:
    if options.parser == "json":
        return '  json_time_key = "at"\n  json_time_format = "unix_ms"\n  json_string_fields = ["state"]\n'
    lines = ["[[inputs.mqtt_consumer.json_v2]]", 'timestamp_path = "at"', 'timestamp_format = "unix_ms"']
    for name, kind in _FIELDS.items():
        lines += ["[[inputs.mqtt_consumer.json_v2.field]]", f'path = "{name}"', "optional = true"]
        lines += [f'type = "{kind}"'] if options.typed else []
    return "".join(f"  {line}\n" for line in lines)


class Telegraf:
    """A Telegraf; see :class:`accelerator.bench.bridge.Bridge`. It keeps nothing of what it refuses.

    Attributes:
        errors: lines of its log that report one.
    """

    def __init__(self, program: str, configured: Path, bucket: str) -> None:
        self.program = _Listened([program, "--config", str(configured)], {}, self._heard)
        self.errors: list[str] = []
        self._bucket = bucket
        self._written = 0
        self._before = 0
        self._changed = asyncio.Condition()

    @property
    def pid(self) -> int:
        return self.program.pid

    def buckets(self) -> list[str]:
        return [self._bucket]

    def kept(self) -> Counter[MachineKey]:
        return Counter()

    async def _heard(self, line: bytes) -> None:
        """A line of its log; an empty one at its end."""
        if b" E! " in line:
            self.errors.append(line.decode(errors="replace").strip())
        wrote = _WROTE.search(line)
        if wrote or not line:
            async with self._changed:
                self._written += int(wrote[1]) if wrote else 0
                self._changed.notify_all()

    async def subscribed(self) -> None:
        """Return when the retained probe, which every new subscription brings, is written."""
        await self.stored(1)
        self._before = self._written

    async def stored(self, count: int) -> None:
        goal = self._before + count
        try:
            async with asyncio.timeout(WAIT_S), self._changed:
                await self._changed.wait_for(lambda: self._written >= goal or self.program.ended)
        except TimeoutError:
            pass
        if self._written < goal:
            last = self.errors[-1] if self.errors else "it reports no error"
            raise Found(f"telegraf wrote {self._written} of {goal} messages: {last}")


class _Listened(processes.Program):
    """A program of which every line on stderr is heard."""

    def __init__(
        self, command: Sequence[str], environment: Mapping[str, str], heard: Callable[[bytes], Awaitable[None]]
    ) -> None:
        super().__init__(command, environment, listen=True)
        self.ended = False
        self._heard = heard
        self._reading: asyncio.Task[None] | None = None

    async def start(self) -> None:
        await super().start()
        self.ended = False
        if self.process is not None and self.process.stderr is not None:
            self._reading = asyncio.create_task(self._read(self.process.stderr))

    async def kill(self) -> None:
        await super().kill()
        await self._all_read()

    async def stop(self) -> None:
        await super().stop()
        await self._all_read()

    async def _all_read(self) -> None:
        if self._reading is not None:
            await self._reading

    async def _read(self, said: asyncio.StreamReader) -> None:
        async for line in said:
            await self._heard(line)
        self.ended = True
        await self._heard(b"")


@asynccontextmanager
async def running(
    program: str, folder: Path, address: BrokerAddress, load: Load, influx: Influx, bucket: str, options: Options
) -> AsyncIterator[Telegraf]:
    """A Telegraf that is subscribed and writes into a new bucket, which stays; ended by SIGTERM."""
    if options.buffer < options.max_undelivered:
        raise ValueError("a buffer smaller than what may be undelivered drops metrics")
    configured = folder / "telegraf.conf"
    configured.write_text(configuration(address, influx, bucket, options), encoding="utf-8")
    await influx.make_bucket(bucket)
    probe = f'{{"at":{load.start_ms},"count":1}}'.encode()
    await publish_once(address, reading_topic(_PROBE, _PROBE), probe, retain=True)
    telegraf = Telegraf(program, configured, bucket)
    try:
        await telegraf.program.start()
        await telegraf.subscribed()
        yield telegraf
    finally:
        await telegraf.program.stop()
