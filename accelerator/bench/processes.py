"""The processes of a benchmark: a broker on a free loopback port, a collector, their CPU time and memory."""

import asyncio
import os
import shutil
import socket
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from accelerator.problems import Found, Missing
from bus.client import BrokerAddress
from bus.embedded import EmbeddedBroker

_TICKS = os.sysconf("SC_CLK_TCK")

MOSQUITTO_CONF = """\
listener {port} 127.0.0.1
allow_anonymous true
persistence false
max_queued_messages 0
max_queued_bytes 0
max_inflight_messages 10000
"""


def free_port() -> int:
    """A loopback port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


@asynccontextmanager
async def broker(folder: Path) -> AsyncIterator[tuple[BrokerAddress, str]]:
    """Mosquitto where it is installed, else the embedded broker; yields (address, name)."""
    if find_mosquitto() is None:
        async with EmbeddedBroker(folder / "broker") as embedded:
            yield embedded.address, "embedded"
        return
    async with mosquitto(folder) as address:
        yield address, "mosquitto"


def find_mosquitto() -> str | None:
    """The broker's program, which Debian keeps out of an ordinary user's path."""
    return shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin")


@asynccontextmanager
async def mosquitto(folder: Path) -> AsyncIterator[BrokerAddress]:
    """A Mosquitto that bounds no queue and keeps nothing on disk.

    Raises:
        Missing: it is not installed or does not start.
    """
    binary = find_mosquitto()
    if binary is None:
        raise Missing("mosquitto is not installed; install it, for instance: apt install mosquitto")
    port = free_port()
    configuration = folder / "mosquitto.conf"
    configuration.write_text(MOSQUITTO_CONF.format(port=port), encoding="utf-8")
    process = await asyncio.create_subprocess_exec(
        binary, "-c", str(configuration), stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL
    )
    try:
        await _listening(port, process)
        yield BrokerAddress.parse(f"mqtt://127.0.0.1:{port}")
    finally:
        await end(process)


async def _listening(port: int, process: asyncio.subprocess.Process) -> None:
    for _ in range(200):
        if process.returncode is not None:
            raise Missing(f"mosquitto ended with exit code {process.returncode} at start")
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            await asyncio.sleep(0.05)
            continue
        writer.close()
        await writer.wait_closed()
        return
    raise Missing("mosquitto does not listen after 10 s")


class Program:
    """A process that can be killed and started again.

    Attributes:
        process: the running one, or the last.
    """

    def __init__(self, command: Sequence[str], environment: Mapping[str, str], *, listen: bool = False) -> None:
        self.process: asyncio.subprocess.Process | None = None
        self._command, self._environment, self._listen = command, {**os.environ, **environment}, listen

    @property
    def pid(self) -> int:
        """The process; 0 before the start."""
        return self.process.pid if self.process else 0

    async def start(self) -> None:
        """Start it; with ``listen`` its stderr can be read.

        Raises:
            Missing: there is no such program.
        """
        stderr = asyncio.subprocess.PIPE if self._listen else None
        stdout = asyncio.subprocess.DEVNULL if self._listen else None
        try:
            self.process = await asyncio.create_subprocess_exec(
                *self._command, env=self._environment, stdout=stdout, stderr=stderr
            )
        except OSError as error:
            raise Missing(f"{self._command[0]}: cannot be run: {error.strerror}") from None

    async def ends(self) -> int:
        """Its exit code, once it has ended."""
        return await self.process.wait() if self.process else 0

    async def kill(self) -> None:
        """kill -9."""
        if self.process is not None and self.process.returncode is None:
            self.process.kill()
            await self.process.wait()

    async def stop(self) -> None:
        """SIGTERM, and wait."""
        if self.process is not None:
            await end(self.process)


def module(command: Sequence[str], environment: Mapping[str, str]) -> Program:
    """A module with its arguments as a program, not started yet."""
    return Program([sys.executable, "-m", *command], environment)


@asynccontextmanager
async def program(arguments: list[str], environment: Mapping[str, str]) -> AsyncIterator[asyncio.subprocess.Process]:
    """A ``resilian`` program as a process of its own; ended by SIGTERM."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "accelerator.main", *arguments, env={**os.environ, **environment}
    )
    try:
        yield process
    finally:
        await end(process)


async def end(process: asyncio.subprocess.Process) -> None:
    """SIGTERM, and SIGKILL when it does not end within 30 s."""
    if process.returncode is not None:
        return
    process.terminate()
    try:
        async with asyncio.timeout(30):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()
        raise Found(f"pid {process.pid} did not end within 30 s of SIGTERM") from None


def cpu_seconds(pid: int) -> float:
    """User and system CPU seconds of a process so far, its threads included."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def rss_now_mb(pid: int) -> float:
    """Resident memory of a process now, MB."""
    return _memory_mb(pid, "VmRSS:")


def rss_mb(pid: int) -> float:
    """Highest resident memory of a process so far, MB."""
    return _memory_mb(pid, "VmHWM:")


def _memory_mb(pid: int, name: str) -> float:
    for line in Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines():
        if line.startswith(name):
            return int(line.split()[1]) / 1024
    return 0.0
