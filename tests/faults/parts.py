"""The processes of a trial: the broker as it is deployed, the collector, and the network they serve."""

import asyncio
import os
import signal
import sys
from collections.abc import Mapping
from pathlib import Path

from accelerator.bench.processes import rss_mb
from fleet.batch import MachineKey
from tests.patience import PATIENCE_S
from tests.servers import Mosquitto

ROOT = Path(__file__).parents[2]
END_S = PATIENCE_S
"""A collector that should end by itself and lives for so long does not."""
MEMBERS = ("alder", "birch", "cedar")
MACHINES = tuple(MachineKey(member, f"machine-{number}") for number in range(16) for member in MEMBERS)
KEPT = ("max_", "queue_", "persistence ", "autosave_", "persistent_", "set_tcp_nodelay ")
"""What the broker of a trial has of deploy/mosquitto/mosquitto.conf: limits and persistence, not logins and folders."""


def write_fleet(folder: Path, more: Mapping[str, str]) -> None:
    """A registry of :data:`MACHINES`, which send canonical JSON; ``more`` are further members' files by name."""
    (folder / "members").mkdir(parents=True)
    place = 'place = { commune = "Haguenau" }\n'
    (folder / "network.toml").write_text(f'name = "faults"\n{place}timezone = "Europe/Paris"\n')
    for member in MEMBERS:
        names = [key.machine for key in MACHINES if key.member == member]
        machines = "".join(f'\n[[machines]]\nid = "{name}"\nname = "{name}"\n' for name in names)
        (folder / "members" / f"{member}.toml").write_text(f'slug = "{member}"\nname = "{member}"\n{place}{machines}')
    for member, machines in more.items():
        (folder / "members" / f"{member}.toml").write_text(f'slug = "{member}"\nname = "{member}"\n{place}{machines}')


class DeployedMosquitto(Mosquitto):
    """Mosquitto with the limits and the persistence of the deployment; ``changes`` replaces or adds settings."""

    def __init__(self, folder: Path, changes: Mapping[str, str]) -> None:
        text = (ROOT / "deploy" / "mosquitto" / "mosquitto.conf").read_text()
        deployed = dict(line.split(" ", 1) for line in text.splitlines() if line.startswith(KEPT))
        super().__init__(folder, {**deployed, **changes})


class CollectorProcess:
    """``resilian ingest``, which can be killed, held and started again on the same data.

    Attributes:
        options: of :mod:`tests.faults.entry`; without any it is the product's own command.
        peak_mb: highest resident memory of any of its lives, as far as :meth:`measure` saw it.
        lives: how often it was started.
    """

    def __init__(self, environment: Mapping[str, str], options: list[str], log: Path) -> None:
        self.options = options
        self.peak_mb = 0.0
        self.lives = 0
        self.log = log
        self._environment = {**os.environ, **environment}
        self._process: asyncio.subprocess.Process | None = None

    @property
    def pid(self) -> int | None:
        """Of the life that runs, or None."""
        running = self._process is not None and self._process.returncode is None
        return self._process.pid if self._process is not None and running else None

    @property
    def exit_code(self) -> int | None:
        """Of the life that ended, or None."""
        return None if self._process is None else self._process.returncode

    async def start(self, *more: str, clock: str | None = None) -> None:
        """Start; ``more`` are options of this life alone, ``clock`` is the instant at which its clock starts."""
        options = [*self.options, *more]
        module = ["tests.faults.entry", *options] if options else ["accelerator.main", "ingest"]
        module = ["tests.clocked", clock, *module] if clock else module
        self.lives += 1
        with self.log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", *module, env=self._environment, cwd=ROOT, stdout=log, stderr=log
            )

    async def kill(self) -> None:
        """kill -9."""
        await self._end(signal.SIGKILL)

    async def stop(self) -> int | None:
        """SIGTERM; its exit code."""
        await self._end(signal.SIGTERM)
        return self.exit_code

    async def ended(self) -> int:
        """Return when it has ended by itself; its exit code.

        Raises:
            TimeoutError: it lives on.
        """
        assert self._process is not None
        async with asyncio.timeout(END_S):
            return await self._process.wait()

    async def command(self, *arguments: str) -> str:
        """What ``resilian`` prints with these arguments and the collector's settings.

        Raises:
            AssertionError: its exit code is not 0.
        """
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "accelerator.main", *arguments, env=self._environment, cwd=ROOT,
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        said, wrong = await process.communicate()
        assert process.returncode == 0, wrong.decode()
        return said.decode()

    def hold(self) -> None:
        """SIGSTOP: it lives and does nothing."""
        self._signal(signal.SIGSTOP)

    def go(self) -> None:
        """SIGCONT."""
        self._signal(signal.SIGCONT)

    def measure(self) -> None:
        """Take note of its memory."""
        if (pid := self.pid) is not None:
            try:
                self.peak_mb = max(self.peak_mb, rss_mb(pid))
            except OSError:
                return  # it has just ended

    def _signal(self, number: int) -> None:
        if (pid := self.pid) is not None:
            os.kill(pid, number)

    async def _end(self, number: int) -> None:
        if self._process is None:
            return
        self.measure()
        self._signal(signal.SIGCONT)
        self._signal(number)
        await self._process.wait()
