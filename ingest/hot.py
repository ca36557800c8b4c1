"""The hot path: deliveries to columns. No await, no task, no future; one dictionary access routes a message.

:class:`Gathering` takes the deliveries of one burst after the other and hands over everything gathered as one
:class:`ingest.work.Work`.
"""

import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

from bus.client import Delivery
from fleet.batch import Reading
from fleet.registry import Registry
from fleet.topics import member_of
from ingest.columns import Columns, Stamps, Target
from ingest.decoders import Context, DecodeError, decoder
from ingest.decoders.base import SHOWN, Fault
from ingest.gaps.numbers import Numbers, Refused
from ingest.rejects import Reject
from ingest.routing import MAX_TOPIC, REMEMBERED, Routing
from ingest.seen import Redeliveries, fingerprint
from ingest.sparkplug.host import FORMAT, ROOT, STATE_ROOT, Heard, Host
from ingest.unclaimed import Unclaimed
from ingest.work import Work

_TOO_LONG: Final = f"at most {MAX_TOPIC} characters"
_FOREIGN: Final = "a topic below m/<member>/ or spBv1.0/<member>/ of a member"


class Gathering:
    """Decodes deliveries and gathers what one commit shall make durable.

    Attributes:
        counts: since the start: ``received`` messages; ``empty``, ``quiet`` and ``stale`` ones that are no readings
            (``stale``: retained, without a time, of unknown age); ``repeated`` redeliveries; ``rejected``,
            ``unclaimed`` messages; ``ignored_fields``, ``claims`` (a name in a payload contradicts its topic); and not
            among the received: ``elsewhere``, which another collector keeps.
        sparkplug: what is known of the edge nodes; everything below ``spBv1.0/`` goes through it.
        numbers: which numbers of readings came.
        on_claim: told of a payload that names another member or machine than its topic: (topic, what, name).
        on_other: told of a message that is no device's: (topic, payload).
        routing: which machine has which topic, and whose messages are ours to keep.
    """

    def __init__(
        self,
        registry: Registry,
        redeliveries: Redeliveries,
        sparkplug: Host | None = None,
        numbers: Numbers | None = None,
    ) -> None:
        self.counts: Counter[str] = Counter()
        self.on_claim: Callable[[str, str, str], None] = lambda *_: None
        self.on_other: Callable[[str, bytes], None] = lambda *_: None
        self.redeliveries = redeliveries
        self.sparkplug = sparkplug or Host()
        self.numbers = numbers or Numbers()
        self.routing = Routing(registry, self.numbers, self.sparkplug)
        self._retained: dict[str, bytes] = {}
        self._stamps = Stamps()
        self._reset()

    def _reset(self) -> None:
        self._columns = Columns(self._stamps)
        self._rejects: list[Reject] = []
        self._unclaimed: list[Unclaimed] = []
        self._refused: list[Refused] = []
        self.messages = 0
        self.bytes = 0

    def hand_over(self) -> Work:
        """Everything gathered since the last call."""
        redelivered, self.redeliveries.fresh = self.redeliveries.fresh, {}
        batch, indices = self._columns.batch(self.numbers.machines) or (None, None)
        if batch is not None:
            self.numbers.follow(batch, indices)
        self.numbers.refused(self._refused)
        work = Work(batch, self._rejects, self._unclaimed, redelivered, nodes=self.sparkplug.hand_over())
        self._reset()
        return work

    # --- one burst

    def take(self, deliveries: Iterable[Delivery], epoch: int, arrived_ms: int) -> None:
        """Decode the deliveries of one burst of the connection ``epoch``, which arrived at ``arrived_ms``."""
        deliveries = list(deliveries)
        self.redeliveries.begin(epoch, len(deliveries))
        self.messages += len(deliveries)
        self.counts["received"] += len(deliveries)
        contexts: dict[str, Context] = {}
        columns, known = self._columns, self.routing.known
        add_reading, add_machine = columns.readings.append, columns.machine.append
        add_crc = columns.crc.append
        for delivery in deliveries:
            topic, payload = delivery.topic, delivery.payload
            self.bytes += len(payload)
            targets = known.get(topic)
            if targets is None:
                targets = self.routing.resolve(topic)
            if len(targets) != 1 or not payload:
                self._unusual(delivery, targets, contexts, arrived_ms)
                continue
            target = targets[0]
            context = contexts.get(target.spec) or _context(contexts, target, arrived_ms)
            try:
                found = target.decode(topic, payload, context)
            except Exception as error:  # noqa: BLE001 - one payload never ends the loop: see _wrong
                self._refuse(delivery, target, _wrong(error), arrived_ms)
                found = []
            if context.notes:  # also of what was refused: they must not be taken for the next message's
                self._heed(context.notes, topic, target)
            if len(found) == 1 and (reading := found[0])[0] is not None:
                add_reading(reading)
                add_machine(target.machine)
                add_crc(target.crc)
            elif found:
                self._add(delivery, target, found)
        columns.arrive(arrived_ms)

    def _unusual(
        self, delivery: Delivery, targets: tuple[Target, ...], contexts: dict[str, Context], arrived_ms: int
    ) -> None:
        """Empty payloads, topics of no machine, topics of several machines."""
        if not delivery.payload:
            self.counts["empty"] += 1
            return
        if not targets:
            self._nobodys(delivery, arrived_ms)
            return
        repeated = None
        for target in targets:
            context = contexts.get(target.spec) or _context(contexts, target, arrived_ms)
            try:
                found = target.decode(delivery.topic, delivery.payload, context)
            except Exception as error:  # noqa: BLE001 - see _wrong
                repeated = self._refuse(delivery, target, _wrong(error), arrived_ms, repeated)
            else:
                repeated = self._add(delivery, target, found, repeated)
            if context.notes:
                self._heed(context.notes, delivery.topic, target)

    def _add(
        self,
        delivery: Delivery,
        target: Target,
        found: Sequence[Reading],
        repeated: bool | None = None,
    ) -> bool | None:
        """Add readings; those without a time are stamped on arrival, once: see :mod:`ingest.seen`."""
        timeless = [reading.at_ms is None for reading in found]
        if any(timeless):
            if delivery.retain:
                self.counts["stale"] += sum(timeless)
                found = [reading for reading in found if reading.at_ms is not None]
            else:
                repeated = self._is_repeat(delivery) if repeated is None else repeated
                found = [reading for reading in found if reading.at_ms is not None or not repeated]
        self._columns.extend(found, target)
        return repeated

    def _refuse(
        self, delivery: Delivery, target: Target, error: DecodeError, arrived_ms: int, repeated: bool | None = None
    ) -> bool:
        repeated = self._is_repeat(delivery) if repeated is None else repeated
        self._add(delivery, target, error.readings, repeated)
        if not repeated:
            self.counts["rejected"] += 1
            if error.numbers:
                self._refused.append(Refused(target.key, error.numbers, arrived_ms))
            member, machine = target.key
            self._rejects.append(
                Reject(member, machine, delivery.topic, arrived_ms, error.faults, bytes(delivery.payload))
            )
        return repeated

    def _nobodys(self, delivery: Delivery, arrived_ms: int) -> None:
        if not delivery.topic.startswith(("m/", "spBv1.0/")):
            self.counts["received"] -= 1
            self.on_other(delivery.topic, bytes(delivery.payload))
            return
        member = member_of(delivery.topic)
        if member is not None and not self.routing.takes(member):
            self.counts.update({"elsewhere": 1, "received": -1})
            return
        edge = delivery.topic.startswith(ROOT)
        if edge and (delivery.retain or delivery.topic.startswith(STATE_ROOT)):  # births and deaths are never retained
            self.counts["stale" if delivery.retain else "quiet"] += 1
            return
        if len(delivery.topic) > MAX_TOPIC:
            self._refuse_topic(delivery, member if member in self.routing.members else None, _TOO_LONG, arrived_ms)
        elif self._is_repeat(delivery):
            return
        elif member in self.routing.members:
            if edge and self._edge(delivery, member or "", arrived_ms):
                return
            self.counts["unclaimed"] += 1
            hint = self.routing.hints[member]
            self._unclaimed.append(Unclaimed(member, delivery.topic, arrived_ms, bytes(delivery.payload), hint))
        else:
            self._refuse_topic(delivery, None, _FOREIGN, arrived_ms)

    def _edge(self, delivery: Delivery, member: str, arrived_ms: int) -> bool:
        """Follow a message of an edge node, which must not be a repeated one; whether it is a machine's."""
        topic, payload = delivery.topic, bytes(delivery.payload)
        try:
            heard = self.sparkplug.take(topic, payload, arrived_ms)
        except Exception as error:  # noqa: BLE001 - see _wrong
            heard = Heard([], [(None, _wrong(error).faults)], claimed=True)
        for route, readings in heard.readings:
            target = Target(route, self.numbers.index(route.key), zlib.crc32(topic.encode()), decoder(FORMAT))
            self._add(delivery, target, readings, repeated=False)
        for key, faults in heard.refused if heard.claimed else ():
            self.counts["rejected"] += 1
            self._rejects.append(Reject(member, key.machine if key else "", topic, arrived_ms, faults, payload))
        return heard.claimed

    def _refuse_topic(self, delivery: Delivery, member: str | None, rule: str, arrived_ms: int) -> None:
        self.counts["rejected"] += 1
        topic = delivery.topic[:MAX_TOPIC]
        fault = Fault("topic", "", topic[:SHOWN], rule)
        self._rejects.append(Reject(member or "", "", topic, arrived_ms, (fault,), bytes(delivery.payload)))

    def _is_repeat(self, delivery: Delivery) -> bool:
        digest = fingerprint(delivery.topic, delivery.payload)
        repeated = self.redeliveries.is_repeat(delivery.packet_id, digest)
        if delivery.retain and not repeated:  # sent with every subscription
            repeated = self._retained.get(delivery.topic) == digest
            if len(self._retained) >= REMEMBERED:
                self._retained.clear()
            self._retained[delivery.topic] = digest
        self.counts["repeated"] += repeated
        return repeated

    def _heed(self, notes: dict[str, Any], topic: str, target: Target) -> None:
        """The topic wins over names in the payload: the broker has authenticated it."""
        for kind, name in notes.pop("claims", ()):
            if name != getattr(target.key, kind):
                self.counts["claims"] += 1
                self.on_claim(topic, kind, name)
        self.counts.update(notes)
        notes.clear()


def _context(contexts: dict[str, Context], target: Target, arrived_ms: int) -> Context:
    context = contexts[target.spec] = Context(arrived_ms, *target.options)
    return context


def _wrong(error: Exception) -> DecodeError:
    """A decoder's own failure is a reject like any other: whoever finds such a payload must not stop the network."""
    if isinstance(error, DecodeError):
        return error
    return DecodeError("decoder", "", f"{type(error).__name__}: {error}", "a decoder that can read this; report it")
