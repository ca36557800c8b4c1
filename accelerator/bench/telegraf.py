"""Telegraf as the bridge of a benchmark: its settings, its process, how far it says it is.

It stores the same fields under the same tags as our collector. Its settings are those that its documentation gives;
whatever it needs for our payload is in :func:`configuration`.
"""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from accelerator.bench import processes
from accelerator.bench.collector import WAIT_S
from accelerator.bench.influx import Influx
from accelerator.bench.load import Load
from accelerator.problems import Found, Missing
from bus.client import BrokerAddress
from bus.comfort import publish_once
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
    """A Telegraf that can be killed and started again; see :class:`accelerator.bench.bridge.Bridge`.

    Attributes:
        refused: lines of its log that report an error.
    """

    def __init__(self, program: str, configured: Path) -> None:
        self.refused: list[str] = []
        self._command = (program, "--config", str(configured))
        self._written = 0
        self._before = 0
        self._ended = False
        self._changed = asyncio.Condition()
        self._process: asyncio.subprocess.Process | None = None
        self._reading: asyncio.Task[None] | None = None

    @property
    def pid(self) -> int:
        return self._process.pid if self._process else 0

    async def start(self) -> None:
        """Start it; it says what it writes on stderr."""
        self._ended = False
        self._process = await asyncio.create_subprocess_exec(
            *self._command, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE
        )
        if self._process.stderr is not None:
            self._reading = asyncio.create_task(self._read(self._process.stderr))

    async def kill(self) -> None:
        """kill -9."""
        if self._process is not None and self._process.returncode is None:
            self._process.kill()
        await self._gone()

    async def stop(self) -> None:
        """SIGTERM: it writes what it holds."""
        if self._process is not None:
            await processes.end(self._process)
        await self._gone()

    async def _gone(self) -> None:
        if self._process is not None and self._reading is not None:
            await self._process.wait()
            await self._reading

    async def _read(self, said: asyncio.StreamReader) -> None:
        async for line in said:
            wrote = _WROTE.search(line)
            if b" E! " in line:
                self.refused.append(line.decode(errors="replace").strip())
            if wrote:
                async with self._changed:
                    self._written += int(wrote[1])
                    self._changed.notify_all()
        async with self._changed:
            self._ended = True
            self._changed.notify_all()

    async def subscribed(self) -> None:
        """Return when the retained probe, which every new subscription brings, is written."""
        await self.stored(1)
        self._before = self._written

    async def stored(self, count: int) -> None:
        goal = self._before + count
        try:
            async with asyncio.timeout(WAIT_S), self._changed:
                await self._changed.wait_for(lambda: self._written >= goal or self._ended)
        except TimeoutError:
            pass
        if self._written < goal:
            last = self.refused[-1] if self.refused else "it reports no error"
            raise Found(f"telegraf wrote {self._written} of {goal} messages: {last}")


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
    probe = f'{{"at":{load.start_ms},"power_w":0.5}}'.encode()
    await publish_once(address, reading_topic(_PROBE, _PROBE), probe, retain=True)
    telegraf = Telegraf(program, configured)
    try:
        await telegraf.start()
    except OSError as error:
        raise Missing(f"{program}: cannot be run: {error.strerror}; scripts/build-telegraf builds one") from None
    try:
        await telegraf.subscribed()
        yield telegraf
    finally:
        await telegraf.stop()


async def count_stored(influx: Influx, bucket: str) -> int:
    """How many messages of the load Telegraf has stored."""
    return await influx.count(bucket, MEASUREMENT, "seq")
