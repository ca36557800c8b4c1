"""Which topic is which machine, in which format."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final
from zoneinfo import ZoneInfo

from fleet.batch import MachineKey
from fleet.network import Feed, Machine, Member
from fleet.topics import matches, reading_topic

CANONICAL: Final = "canonical"
"""Format of ``m/<member>/<machine>/reading``: canonical JSON."""
_REMEMBERED: Final = 65_536  # topics whose answer is kept; devices choose topics, so memory must be bounded


@dataclass(frozen=True, slots=True)
class Route:
    """What arrives on ``topic`` (a filter) is a reading of ``key``.

    Attributes:
        format: name of a decoder or of a mapping profile.
        channel: which part of a payload with several channels; None for the whole or the only one.
        timezone: of device times without an offset: the feed's, else the member's, else the network's.
        scale_w: factor from the sent power to watts.
        every: longest normal distance between two readings, seconds.
        clock_ahead_s: how far the device's clock is declared to be ahead.
    """

    key: MachineKey
    topic: str
    format: str
    channel: str | None
    timezone: ZoneInfo
    scale_w: float
    every: float
    clock_ahead_s: float = 0.0

    @property
    def member(self) -> str:
        """Slug of the member."""
        return self.key.member

    @property
    def machine(self) -> str:
        """Slug of the machine."""
        return self.key.machine


class Routes:
    """All routes of one registry; :meth:`lookup` costs one dictionary access for a topic seen before."""

    def __init__(self, routes: Iterable[Route]) -> None:
        self.all: tuple[Route, ...] = tuple(routes)
        self._exact: dict[str, tuple[Route, ...]] = {}
        self._wild: dict[str, dict[str, tuple[Route, ...]]] = {}
        self._seen: dict[str, tuple[Route, ...]] = {}
        for route in self.all:
            if "+" in route.topic or "#" in route.topic:
                filters = self._wild.setdefault("/".join(route.topic.split("/", 2)[:2]), {})
                filters[route.topic] = (*filters.get(route.topic, ()), route)
            else:
                self._exact[route.topic] = (*self._exact.get(route.topic, ()), route)

    def lookup(self, topic: str) -> tuple[Route, ...]:
        """The routes of a topic: none, one, or several when one payload carries the channels of several machines.

        A feed that names the topic itself goes before filters; of several filters the most precise one alone counts:
        the one with the longest part before its first wildcard, then the one with more levels.
        """
        found = self._seen.get(topic)
        if found is None:
            found = self._exact.get(topic) or self._wildcard(topic)
            if len(self._seen) >= _REMEMBERED:
                self._seen.clear()
            self._seen[topic] = found
        return found

    def _wildcard(self, topic: str) -> tuple[Route, ...]:
        filters = self._wild.get("/".join(topic.split("/", 2)[:2]), {})
        fitting = [pattern for pattern in filters if matches(pattern, topic)]
        return filters[max(fitting, key=_precision)] if fitting else ()


def _precision(pattern: str) -> tuple[int, int, str]:
    levels = pattern.split("/")
    literal = next(index for index, level in enumerate(levels) if level in ("+", "#"))
    return literal, len(levels) - (levels[-1] == "#"), pattern


def routes_of(member: Member, zone: ZoneInfo) -> list[Route]:
    """Routes of one member: each feed, and the canonical topic of every machine that has no feed of its own there.

    ``zone`` is the member's time zone.
    """
    routes = []
    for machine in member.machines:
        own = reading_topic(member.slug, machine.id)
        if all(feed.topic != own for feed in machine.feeds):
            routes.append(_route(member, machine, Feed(topic=own, format=CANONICAL), zone))
        routes += [_route(member, machine, feed, zone) for feed in machine.feeds]
    return routes


def _route(member: Member, machine: Machine, feed: Feed, zone: ZoneInfo) -> Route:
    own_zone = ZoneInfo(feed.timezone) if feed.timezone else zone
    key = MachineKey(member.slug, machine.id)
    return Route(
        key, feed.topic, feed.format, feed.channel, own_zone, feed.scale_w, machine.every, feed.clock_ahead_s
    )  # fmt: skip
