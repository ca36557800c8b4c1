"""The Sparkplug B host application, as far as it is pure: messages in, readings, rejects and wishes out.

Births define metrics and aliases, every message has its place in the node's sequence of 0 to 255, a death counts when
its ``bdSeq`` is that of the birth. What must outlive a restart leaves with :meth:`Host.hand_over`.
"""

import json
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Final, NamedTuple

from fleet.batch import MachineKey, Reading
from fleet.registry import Route
from fleet.routes import Routes
from fleet.states import UNKNOWN
from fleet.topics import matches
from ingest.decoders.base import Context, DecodeError, Fault, show
from ingest.decoders.sparkplug import BIRTHS, COMMANDS, DEATHS, NO_BIRTH, Named, read, readings
from ingest.decoders.times import sane
from ingest.gaps.source import Source
from ingest.sparkplug.memory import Changes, NodeKey
from ingest.sparkplug.node import LOST_WAIT_MS, Birth, Node
from ingest.sparkplug.payload import Payload, bd_seq
from ingest.sparkplug.topic import TYPES, Topic, parse

FORMAT: Final = "sparkplug"
ROOT: Final = "spBv1.0/"
STATE_ROOT: Final = "spBv1.0/STATE/"
MAX_NODES: Final = 500
"""Nodes a member, and devices a node; their names come from topics, so memory must be bounded."""
MAX_BIRTHS: Final = 32 * 2**20
"""Bytes that the births of a member's nodes may take."""
_REMEMBERED: Final = 65_536


class Heard(NamedTuple):
    """What a message came to.

    Attributes:
        readings: of each machine it concerns, with the route that led there; every reading has a time but those that
            are to be stamped on arrival.
        refused: what is wrong, by machine; None is no machine in particular.
        claimed: whether a machine has this node or device.
    """

    readings: list[tuple[Route, list[Reading]]]
    refused: list[tuple[MachineKey | None, tuple[Fault, ...]]]
    claimed: bool


class Host:
    """Follows the edge nodes of all members.

    Attributes:
        counts: since the start: ``births``, ``deaths``, ``stale_deaths`` (of an older session), ``missing`` messages,
            ``late`` ones of them that came after all, ``rebirths`` asked for, ``ignored_fields``, ``quiet``.
        on_rebirth: told which node shall be asked for its births, why, and whether it was asked in vain before;
            rate-limited.
    """

    def __init__(self, nodes: dict[NodeKey, Node] | None = None) -> None:
        self.counts: Counter[str] = Counter()
        self.on_rebirth: Callable[[NodeKey, str, bool], None] = lambda *_: None
        self._nodes = {} if nodes is None else nodes
        self._touched: set[NodeKey] = set()
        self._births: dict[tuple[NodeKey, str], Birth] = {}
        self._gaps: set[NodeKey] = set()
        self._of_member = Counter(key.member for key in self._nodes)
        self._wanted: set[NodeKey] = set()

    def use(self, routes: Routes) -> None:
        """Route by these from now on."""
        self._lookup = routes.lookup
        filters = {route.topic for route in routes.all if route.format == FORMAT and route.topic.startswith(ROOT)}
        self._claimed = ["/".join(each.split("/")[:4]) for each in filters]
        self._routes: dict[tuple[NodeKey, str], tuple[Route, ...]] = {}

    def hand_over(self) -> Changes:
        """What changed since the last call and must be durable with the readings."""
        nodes = {key: self._nodes[key].row() for key in self._touched}
        births, self._births, self._touched = self._births, {}, set()
        gaps = {key: json.dumps(self._nodes[key].source.as_row()) for key in self._gaps}
        self._gaps.clear()
        return Changes(nodes, births, gaps)

    def sources(self) -> Iterator[tuple[NodeKey, Source]]:
        """Which messages of each node came."""
        for key, node in self._nodes.items():
            yield key, node.source

    def expire(self, now_ms: int) -> None:
        """Await no more what is missing for long."""
        for _, source in self.sources():
            source.expire(now_ms)

    def forget(self, member: str) -> None:
        """Another collector follows this member from now on."""
        gone = {key for key in self._nodes if key.member == member}
        self._nodes = {key: node for key, node in self._nodes.items() if key not in gone}
        self._touched, self._gaps, self._wanted = self._touched - gone, self._gaps - gone, self._wanted - gone
        self._births = {place: birth for place, birth in self._births.items() if place[0].member != member}
        del self._of_member[member]

    def figures(self) -> dict[str, int]:
        """For the collector's health."""
        names = ("births", "deaths", "stale_deaths", "missing", "late", "rebirths")
        online = sum(node.online for node in self._nodes.values())
        return {"nodes": len(self._nodes), "online": online, **{name: self.counts[name] for name in names}}

    def doubt(self, now_ms: int, why: str) -> None:
        """Births and deaths may have been missed: ask every node that is thought to live."""
        for key, node in self._nodes.items():
            if node.online:
                node.wait_ms = LOST_WAIT_MS
                self._ask(key, node, now_ms, why)

    def remind(self, now_ms: int) -> None:
        """Ask again, ever more rarely, where a birth was asked for and none came: the node may not have listened."""
        for key in [*self._wanted]:
            node = self._nodes[key]
            if node.wanted:
                self._ask(key, node, now_ms, node.wanted)
            else:
                self._wanted.discard(key)

    def is_claimed(self, topic: str) -> bool:
        """Whether a machine has what this topic speaks of."""
        try:
            said = parse(topic)
        except DecodeError:
            return False
        return bool(self._routes_of(said.key, said.device)) or self._is_silent(said)

    # --- one message

    def take(self, topic: str, payload: bytes, arrived_ms: int) -> Heard:
        """Follow one message; it must not be one that was taken and made durable before."""
        try:
            said = parse(topic)
        except DecodeError as error:
            return Heard([], [(None, error.faults)], claimed=True)
        if said.kind in COMMANDS:
            self.counts["quiet"] += 1
            return Heard([], [], claimed=True)
        routes = self._routes_of(said.key, said.device)
        claimed = bool(routes) or self._is_silent(said)
        owner = routes[0].key if routes else None
        try:
            parsed = read(payload)
            node = self._node(said)
        except DecodeError as error:
            return Heard([], [(owner, error.faults)], claimed)
        try:
            self._touched.add(said.key)
            if said.kind in DEATHS:
                return Heard(self._death(said, node, parsed, routes, arrived_ms), [], claimed)
            found, refused = self._metrics(said, node, parsed, routes, arrived_ms)
        except DecodeError as error:
            return Heard([], [(owner, error.faults)], claimed)
        return Heard(found, refused, claimed)

    def _node(self, said: Topic) -> Node:
        node = self._nodes.get(said.key)
        if node is None:
            if self._of_member[said.key.member] >= MAX_NODES:
                raise DecodeError("too_large", "", said.key.node, f"at most {MAX_NODES} edge nodes a member")
            node = self._nodes[said.key] = Node()
            self._of_member[said.key.member] += 1
        if said.device not in node.births and len(node.births) > MAX_NODES:
            raise DecodeError("too_large", "", said.device, f"at most {MAX_NODES} devices an edge node")
        return node

    def _metrics(
        self, said: Topic, node: Node, payload: Payload, routes: tuple[Route, ...], arrived_ms: int
    ) -> tuple[list[tuple[Route, list[Reading]]], list[tuple[MachineKey | None, tuple[Fault, ...]]]]:
        """Births and data: the definitions, the sequence, the readings."""
        if said.kind in BIRTHS:
            self._birth(said, node, payload)
        if said.kind != "NBIRTH":
            self._follow(said, node, payload, arrived_ms)
        if payload.at_ms and not all(metric.historical for metric in payload.metrics):
            node.heard(sane(payload.at_ms, arrived_ms), arrived_ms)
        birth = node.births.get(said.device, Birth())
        named = [Named(name := birth.name_of(one), one.datatype or birth.names.get(name, 0), one)
                 for one in payload.metrics]  # fmt: skip
        found: list[tuple[Route, list[Reading]]] = []
        refused: list[tuple[MachineKey | None, tuple[Fault, ...]]] = []
        if not all(each.datatype for each in named):
            self._ask(said.key, node, arrived_ms, f"metrics of {said.kind} that no birth defined")
        unknown = [each for each in named if not each.name]
        if unknown and routes:
            faults = tuple(Fault("alias", "", show(each.metric.alias), NO_BIRTH) for each in unknown)
            refused.append((routes[0].key, faults[:20]))
            named = [each for each in named if each.name]
        for route in routes:
            context = Context(arrived_ms, route.timezone, route.channel, route.scale_w)
            try:
                good, wrong = readings(named, payload, context, birth=said.kind in BIRTHS)
            except DecodeError as error:
                good, wrong = [], list(error.faults)
            self.counts.update(context.notes)
            found += [(route, good)] if good else []
            refused += [(route.key, tuple(wrong))] if wrong else []
        return found, refused

    def _birth(self, said: Topic, node: Node, payload: Payload) -> None:
        self.counts["births"] += 1
        birth = Birth.of(payload.metrics)
        self._weigh(said, node, birth)
        if said.device:
            node.define(said.device, birth)
        else:
            node.born(bd_seq(payload), payload.seq, birth)
            self._gaps.add(said.key)
            self._births.update({(said.key, device): each for device, each in node.births.items()})
        self._births[said.key, said.device] = birth

    def _weigh(self, said: Topic, node: Node, birth: Birth) -> None:
        held = sum(each.weight for key, each in self._nodes.items() if key.member == said.key.member)
        held -= node.births.get(said.device, Birth()).weight if said.device else node.weight
        if held + birth.weight > MAX_BIRTHS:
            rule = f"at most {MAX_BIRTHS >> 20} MiB of names in the births of a member's nodes"
            raise DecodeError("too_large", "metrics", f"{birth.weight} bytes more", rule)

    def _follow(self, said: Topic, node: Node, payload: Payload, arrived_ms: int) -> None:
        gap = node.follow(payload.seq, sane(payload.at_ms or 0, arrived_ms) or arrived_ms, arrived_ms)
        if gap:
            self._gaps.add(said.key)
        if gap > 0:
            self.counts["missing"] += gap
            self._ask(said.key, node, arrived_ms, f"{gap} messages are missing before seq {payload.seq}")
        elif gap < 0:
            self.counts["late"] += 1
        if not node.online:
            self._ask(said.key, node, arrived_ms, f"{said.kind} without the node's birth")
        elif said.device and said.kind == "DDATA" and not node.births.get(said.device, Birth()).names:
            self._ask(said.key, node, arrived_ms, f"{said.kind} of device {said.device} without its birth")

    # --- deaths

    def _death(
        self, said: Topic, node: Node, payload: Payload, routes: tuple[Route, ...], arrived_ms: int
    ) -> list[tuple[Route, list[Reading]]]:
        """UNKNOWN for every machine behind what died."""
        if said.kind == "DDEATH":
            self._follow(said, node, payload, arrived_ms)
            at_ms = max(sane(payload.at_ms or 0, arrived_ms) or node.now_ms(arrived_ms), node.newest_ms + 1)
            node.heard(at_ms, arrived_ms)
            if said.device in node.births:  # others would only take memory
                node.define(said.device, Birth())
                self._births[said.key, said.device] = Birth()
        elif not node.online or bd_seq(payload) != node.bd:
            # The will of a connection that a younger one has replaced: the node lives.
            self.counts["stale_deaths"] += 1
            return []
        else:
            at_ms = node.now_ms(arrived_ms)
            node.dead()
            self._gaps.add(said.key)
            self._births.update({(said.key, device): each for device, each in node.births.items()})
            routes = tuple(route for device in ("", *node.births) for route in self._routes_of(said.key, device))
        self.counts["deaths"] += 1
        machines = {route.key: route for route in routes}
        return [(route, [Reading(at_ms, state=UNKNOWN)]) for route in machines.values()]

    # --- routes and wishes

    def _routes_of(self, key: NodeKey, device: str) -> tuple[Route, ...]:
        """The routes of a node or device, whatever kind of message their feeds name; each machine and channel once."""
        found = self._routes.get((key, device))
        if found is None:
            tail = f"{key.node}/{device}" if device else key.node
            topics = (f"{ROOT}{key.member}/{kind}/{tail}" for kind in TYPES["D" if device else "N"])
            every = (route for topic in topics for route in self._lookup(topic) if route.format == FORMAT)
            found = tuple({(route.key, route.channel): route for route in every}.values())
            if len(self._routes) >= _REMEMBERED:
                self._routes.clear()
            self._routes[key, device] = found
        return found

    def _is_silent(self, said: Topic) -> bool:
        """A node that speaks of itself beside devices that machines have: nothing is missing in the registry."""
        if said.device:
            return False
        topic = f"{ROOT}{said.key.member}/{said.kind}/{said.key.node}"
        return any(matches(pattern, topic) for pattern in self._claimed)

    def _ask(self, key: NodeKey, node: Node, now_ms: int, why: str) -> None:
        node.wanted = why
        self._wanted.add(key)
        if node.may_ask(now_ms):
            self.counts["rebirths"] += 1
            self.on_rebirth(key, why, node.asks > 1)
