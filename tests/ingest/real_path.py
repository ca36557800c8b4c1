"""The cases of ``tests/cases`` on the real path: each is a device of its own, which publishes its payload to a broker.

A format is a member, a case a machine of it with one feed on a topic that ends as the case's does. What the collector
process made of it is read from the store and by ``resilian rejects list``.
"""

import asyncio
import json
import signal
import sys
from collections import defaultdict
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

from bus.client import BrokerAddress
from fleet.batch import MachineKey, Reading, ReadingBatch
from store import connect
from tests.accelerator.cli import ROOT, answer, environment
from tests.ingest.casefiles import ARRIVED, payload_of, said
from tests.ingest.conftest import until
from tests.ingest.ear import Ear, running
from tests.patience import PATIENCE_S

NETWORK = 'name = "Essai"\ntimezone = "UTC"\nplace = { commune = "Belfort" }\n'
LAST = "last-of-all"


class Device(NamedTuple):
    """A case as a device: where it publishes, and what its feed says beside the topic."""

    folder: Path
    key: MachineKey
    topic: str
    feed: dict[str, Any]
    arrived: str


@dataclass(frozen=True)
class Outcome:
    """What became of everything that was published; readings and rejects by machine, in order.

    Attributes:
        readings: as ``casefiles.said`` tells them.
        rejects: as ``resilian rejects list --json`` prints them.
        unclaimed: topics of messages that no machine has.
        summary: the last word on unclaimed devices of the first device's member.
        health: the collector's figures after the last message.
        machines: every machine that the store knows.
        began, ended: arrival times lie between them, epoch ms.
    """

    readings: dict[MachineKey, list[dict[str, Any]]] = field(default_factory=lambda: defaultdict(list))
    rejects: dict[MachineKey, list[dict[str, Any]]] = field(default_factory=lambda: defaultdict(list))
    unclaimed: list[str] = field(default_factory=list)
    summary: dict[str, Any] = field(default_factory=dict)
    health: dict[str, Any] = field(default_factory=dict)
    machines: list[MachineKey] = field(default_factory=list)
    began: int = 0


def device_of(folder: Path) -> Device:
    """The case as a device of the member that is called like its format."""
    member, machine = folder.parent.name, folder.name
    levels = (folder / "topic").read_text().strip().split("/")
    if levels[0] == "spBv1.0":
        levels[1], levels[3] = member, machine
    else:
        levels[1:2] = [member, machine]
    context = folder / "context.json"
    stated = json.loads(context.read_text()) if context.exists() else {}
    arrived = stated.pop("arrived", ARRIVED)
    topic = "/".join(levels)
    return Device(folder, MachineKey(member, machine), topic, {"topic": topic, "format": member, **stated}, arrived)


def write_fleet(folder: Path, devices: Sequence[Device]) -> None:
    """A network in which every device is a machine; readings of any age are kept."""
    (folder / "members").mkdir(parents=True)
    (folder / "network.toml").write_text(NETWORK)
    for member in {device.key.member for device in devices}:
        text = f'slug = "{member}"\nname = "{member}"\nplace = {{ commune = "Belfort" }}\nretention_days = 0\n'
        text += f'[[machines]]\nid = "{LAST}"\nname = "{LAST}"\n'
        for device in devices:
            if device.key.member == member:
                feed = ", ".join(f"{name} = {json.dumps(value)}" for name, value in device.feed.items())
                text += f'[[machines]]\nid = "{device.key.machine}"\nname = "x"\nfeeds = [{{ {feed} }}]\n'
        (folder / "members" / f"{member}.toml").write_text(text)


@asynccontextmanager
async def collector(settings: dict[str, str], clock: str) -> AsyncIterator[None]:
    """``resilian ingest`` as a process whose clock starts at ``clock``; it must end in good order."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.clocked", clock, "accelerator.main", "ingest", env=settings, cwd=ROOT
    )
    try:
        yield
    finally:
        process.send_signal(signal.SIGTERM)
        code = await process.wait()
    assert code == 0


@asynccontextmanager
async def listening(address: BrokerAddress) -> AsyncIterator[Ear]:
    """A connected client that publishes, and hears what the collector says."""
    ear = Ear(address)
    async with running(ear.session):
        yield ear


async def trial(
    folder: Path,
    broker: str,
    store: tuple[str, str],
    devices: Sequence[Device],
    *,
    clock: str = ARRIVED,
    more: Sequence[tuple[str, bytes]] = (),
) -> Outcome:
    """Publish every device's payload, then ``more``; what became of it all, when the store has the last.

    Args:
        store: its URL, and its token.
        clock: where the collector's clock starts.
    """
    write_fleet(folder / "fleet", devices)
    url, token = store
    settings = environment(
        folder / "data", RESILIAN_BROKER=broker, RESILIAN_STORE=url, RESILIAN_FLEET=str(folder / "fleet"),
        RESILIAN_STORE_TOKEN=token, RESILIAN_LOG="warning",
    )  # fmt: skip
    outcome = Outcome(began=round(datetime.fromisoformat(clock).timestamp() * 1000))
    member = devices[0].key.member
    sent = [(device.topic, payload_of(device.folder)) for device in devices] + list(more)
    async with listening(BrokerAddress.parse(broker)) as ear:
        async with collector(settings, clock):
            await until(lambda: ear.health.get("broker", {}).get("connected") is True, "the collector", PATIENCE_S)
            ear.session.publish(f"m/{member}/{LAST}/reading", b"", retain=True)
            await ear.send(*sent, (f"m/{member}/{LAST}/reading", {"power_w": 1}))
            touched = f"net/v1/touched/{member}"
            await until(
                lambda: any(LAST in one["machines"] for one in ear.heard.get(touched, ())), "the last one", PATIENCE_S
            )
            await until(lambda: ear.health["received"] > len(sent) + 1, "the collector's figures", PATIENCE_S)
            outcome.health.update(ear.health)
        await until(lambda: ear.health.get("alive") is False, "the collector's last words", PATIENCE_S)
        outcome.summary.update(ear.last(f"net/v1/unclaimed/{member}"))
    await _read(outcome, store, devices, settings, folder)
    return outcome


async def _read(
    outcome: Outcome, store: tuple[str, str], devices: Sequence[Device], settings: dict[str, str], folder: Path
) -> None:
    opened = connect(store[0], token=store[1] or None)
    await opened.open()
    try:
        outcome.machines.extend(sorted(await opened.known_machines()))
        batch = await opened.read_readings([device.key for device in devices], 0, 2**42)
    finally:
        await opened.close()
    for key, reading in readings_of(batch):
        outcome.readings[key].append(said(reading))
    for row in answer("rejects", "list", data=folder / "data"):
        outcome.rejects[MachineKey(row["member"], row["machine"])].append(row)
    outcome.unclaimed.extend(row["topic"] for row in answer("rejects", "list", "--unclaimed", data=folder / "data"))


def readings_of(batch: ReadingBatch) -> list[tuple[MachineKey, Reading]]:
    """Rows of a store as the readings they were."""
    found = []
    for index, row in enumerate(batch.rows.tolist()):
        machine, at_ns, _, *columns = row
        reading = Reading._make((at_ns // 1_000_000, *columns, batch.metrics.get(index, "")))
        found.append((batch.machines[machine], reading))
    return found
