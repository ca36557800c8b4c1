"""A Sparkplug host whose readings and requests a test can see, without a broker."""

from typing import Any
from zoneinfo import ZoneInfo

from fleet.batch import MachineKey
from fleet.registry import Route, Routes
from ingest.sparkplug.host import Heard, Host
from ingest.sparkplug.memory import NodeKey
from ingest.sparkplug.node import Node
from tests.ingest.casefiles import said
from tests.ingest.edge import Edge

NOW = 1_795_000_000_000
PRESS = "spBv1.0/acme/+/line/press"
OVEN = "spBv1.0/acme/+/line/oven"


def routes(*feeds: tuple[str, str, str | None]) -> Routes:
    zone = ZoneInfo("UTC")
    return Routes(
        Route(MachineKey("acme", m), topic, "sparkplug", channel, zone, 1.0, 60.0) for m, topic, channel in feeds
    )


class Listener:
    """A host and what it asked for."""

    def __init__(self, nodes: dict[NodeKey, Node] | None = None, *feeds: tuple[str, str, str | None]) -> None:
        self.host = Host(nodes)
        self.host.use(routes(*(feeds or (("press", PRESS, None), ("oven", OVEN, None)))))
        self.asked: list[tuple[NodeKey, str]] = []
        self.host.on_rebirth = lambda key, why, again: self.asked.append((key, why))

    def hear(self, message: tuple[str, bytes], at: int = NOW) -> Heard:
        return self.host.take(*message, at)

    def read(self, message: tuple[str, bytes], at: int = NOW) -> list[dict[str, Any]]:
        """The readings of a message that nothing is wrong with."""
        heard = self.hear(message, at)
        assert not heard.refused
        return [{"machine": route.machine, **said(each)} for route, found in heard.readings for each in found]


def born(listener: Listener, edge: Edge, at: int = NOW) -> None:
    """The births of a node and its two devices."""
    listener.hear(edge.nbirth(at), at)
    listener.hear(edge.dbirth("press", at, Power=10.0, State="EXECUTE"), at)
    listener.hear(edge.dbirth("oven", at, Power=20.0), at)
