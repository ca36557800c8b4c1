"""What a collector is started with."""

import zlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from bus.client import BrokerAddress
from fleet.topics import COMMAND, DEVICES
from ingest.forwarder import Pace
from ingest.level import Limits

DROPPED: Final = "$SYS/broker/publish/messages/dropped"
"""Mosquitto's count of messages that it threw away because a queue was full."""


@dataclass(frozen=True)
class IngestConfig:
    """A collector.

    Attributes:
        broker: where devices publish.
        fleet_dir: folder of ``network.toml`` and ``members/``.
        data_dir: folder of the spool; of one collector alone.
        members: collect only below these members' names; None is all.
        program: name in ``net/v1/health/<program>``.
        client_id: at the broker; by default of the program and the members, so that collectors of other members differ.
        limits: of the spool.
        pace: of the forwarder.
        flush_s: how long a stop waits for the store; what it does not take stays in the spool.
        system_topics: listen to the broker's own count of dropped messages; the embedded broker ends a session that
            asks for it.
    """

    broker: BrokerAddress
    fleet_dir: Path
    data_dir: Path
    members: frozenset[str] | None = None
    program: str = "ingest"
    client_id: str | None = None
    limits: Limits = field(default_factory=Limits)
    pace: Pace = field(default_factory=Pace)
    flush_s: float = 5.0
    system_topics: bool = True

    @property
    def session_id(self) -> str:
        """The client id in use."""
        if self.client_id:
            return self.client_id
        suffix = "" if self.members is None else f"-{zlib.crc32(' '.join(sorted(self.members)).encode()):08x}"
        return f"resilian-{self.program}{suffix}"

    @property
    def subscriptions(self) -> tuple[str, ...]:
        """Topic filters of the devices, of commands, and of the broker's own word on full queues."""
        devices: tuple[str, ...] = DEVICES
        if self.members is not None:
            devices = tuple(f"{root}/{member}/#" for member in sorted(self.members) for root in ("m", "spBv1.0"))
        return (*devices, COMMAND.format(program=self.program), *((DROPPED,) if self.system_topics else ()))
