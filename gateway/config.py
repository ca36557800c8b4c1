"""What the gateway is started with."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bus.client import BrokerAddress

LOOPBACK: Final = ("127.0.0.1", "::1", "localhost")


@dataclass(frozen=True, slots=True)
class Door:
    """Where devices connect, as the page for plant engineers tells it.

    Attributes:
        logins: folder of the broker's passwd and acl; None where this program does not reach them.
        requests: folder where it asks ``deploy/logins`` for a login instead; None where nobody looks there.
        anonymous: whether the broker asks nobody for a login.
    """

    address: BrokerAddress
    logins: Path | None = None
    anonymous: bool = False
    requests: Path | None = None


class NotLoopback(ValueError):
    """The gateway was asked to listen where others can reach it, before there are accounts."""


@dataclass(frozen=True, slots=True)
class GatewayConfig:
    """Settings of the gateway.

    Attributes:
        broker: where ``net/v1/#`` is heard.
        fleet_dir: the folder of ``network.toml`` and ``members/``.
        data_dir: for what later versions keep (accounts); nothing is written there now.
        listen: 127.0.0.1, ::1 or localhost alone: there are no accounts yet.
        port: 0 takes any free one; ``on_ready`` tells which.
        demo: a bar at the top lets the visitor take a role.
        door: where devices connect; by ``broker`` when absent. ``broker`` in ``network.toml`` goes before both.
        on_ready: called once with the URL when connections are accepted.

    Raises:
        NotLoopback: ``listen`` is another address.
        ValueError: ``port`` is none.
    """

    broker: BrokerAddress
    fleet_dir: Path
    data_dir: Path | None = None
    listen: str = "127.0.0.1"
    port: int = 8080
    demo: bool = False
    door: Door | None = None
    on_ready: Callable[[str], None] | None = None

    def __post_init__(self) -> None:
        if self.listen not in LOOPBACK:
            raise NotLoopback(
                f"listen = {self.listen!r}: the gateway has no accounts yet and listens on "
                f"{', '.join(LOOPBACK)} alone; reach it from elsewhere through an SSH tunnel"
            )
        if not 0 <= self.port <= 65_535:
            raise ValueError(f"port = {self.port}: a port is a number from 0 (any free one) to 65535")

    @property
    def host(self) -> str:
        """The address as it stands in a URL."""
        return f"[{self.listen}]" if ":" in self.listen else self.listen
