"""What a collector is started with."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from bus.client import BrokerAddress
from fleet.topics import COMMAND, HANDOVER, HEALTH, collector_program
from ingest.handover import Members
from ingest.level import Limits
from ingest.writer import Pace

DROPPED: Final = "$SYS/broker/publish/messages/dropped"
"""Mosquitto's count of messages that it threw away because a queue was full."""


@dataclass(frozen=True)
class IngestConfig:
    """A collector.

    Attributes:
        broker: where devices publish.
        fleet_dir: folder of ``network.toml`` and ``members/``.
        data_dir: folder of the spool; of one collector alone.
        name: of this collector beside others; the one without a name takes every member that no other has.
        members: that a collector with a name begins with, unless another has them; later ones are moved to it.
        client_id: at the broker; by default of the name alone, so that the session stays when members change.
        limits: of the spool.
        pace: of the forwarder.
        flush_s: how long a stop waits for the store; what it does not take stays in the spool.
        system_topics: listen to the broker's own count of dropped messages; the embedded broker ends a session that
            asks for it.
    """

    broker: BrokerAddress
    fleet_dir: Path
    data_dir: Path
    name: str = ""
    members: frozenset[str] = frozenset()
    client_id: str | None = None
    limits: Limits = field(default_factory=Limits)
    pace: Pace = field(default_factory=Pace)
    flush_s: float = 5.0
    system_topics: bool = True

    @property
    def program(self) -> str:
        """Name in ``net/v1/health/<program>``, and of the folder below the data folder."""
        return collector_program(self.name)

    @property
    def session_id(self) -> str:
        """The client id in use."""
        return self.client_id or f"resilian-{self.program}"

    def subscriptions(self, members: Members) -> tuple[str, ...]:
        """Topic filters at the start: other collectors and commands first, then devices, then the broker's own word."""
        others = (HEALTH.format(program="+"), HANDOVER, COMMAND.format(program=self.program))
        devices = members.filters(*members.of("own", "adopting"))
        return (*others, *devices, *((DROPPED,) if self.system_topics else ()))
