"""Which machines a topic feeds, by the registry of the moment."""

import zlib
from collections.abc import Callable, Mapping
from typing import Final

from fleet.registry import Registry, Route
from fleet.topics import member_of
from ingest.columns import Target
from ingest.decoders import Decode, decoder, formats
from ingest.gaps.numbers import Numbers
from ingest.guess import Hint
from ingest.own import own_decoders, refusing
from ingest.sparkplug.host import FORMAT, ROOT, Host

MAX_TOPIC: Final = 512
"""Characters; a longer topic is refused, for a broker takes 65,535 and every one would be kept."""
REMEMBERED: Final = 65_536  # topics; devices choose them, so memory must be bounded


class Routing:
    """Resolves topics, each once.

    Attributes:
        known: the machines of topics that were resolved and have some; a topic whose way is unusual is not among them.
        takes: whether the messages of a member are ours to keep; :meth:`use` again when that changes.
        members: slugs of the registry's members.
        hints: what is known of a member's devices before they are a machine.
    """

    def __init__(self, registry: Registry, numbers: Numbers, sparkplug: Host) -> None:
        self.takes: Callable[[str], bool] = lambda _: True
        self._numbers = numbers
        self._sparkplug = sparkplug
        self.known: dict[str, tuple[Target, ...]] = {}  # the same as long as this lives: the hot path holds it
        self.use(registry)

    def use(self, registry: Registry) -> None:
        """Route by this registry from now on."""
        self._routes = registry.routes()
        self._sparkplug.use(self._routes)
        self.members = frozenset(registry.members)
        self._own = own_decoders(registry.profiles)
        self.hints = {member: Hint(registry.zone(member), self._own) for member in registry.members}
        self.known.clear()

    def resolve(self, topic: str) -> tuple[Target, ...]:
        """The machines of a topic; only topics that have one are remembered, for a device may invent any number."""
        routes = self._routes.lookup(topic) if len(topic) <= MAX_TOPIC else ()
        edge = topic.startswith(ROOT) and all(route.format == FORMAT for route in routes)
        if not routes or edge or not self.takes(member_of(topic) or ""):
            return ()  # Sparkplug takes the way of what is unusual, and that of the others stays as short as it is
        crc = zlib.crc32(topic.encode())
        targets = tuple(
            Target(route, self._numbers.index(route.key), crc, _decode_of(route, self._own)) for route in routes
        )
        if len(self.known) >= REMEMBERED:
            self.known.clear()
        self.known[topic] = targets
        return targets

    def is_claimed(self, topic: str) -> bool:
        """Whether a machine has this topic now."""
        return bool(self._routes.lookup(topic)) or (topic.startswith(ROOT) and self._sparkplug.is_claimed(topic))


def _decode_of(route: Route, own: Mapping[str, Decode]) -> Decode:
    try:
        return own.get(route.format) or decoder(route.format)
    except KeyError:
        return refusing(route.format, f"one of {', '.join(sorted({*formats(), *own}))}")
