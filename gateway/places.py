"""Where communes lie and how far they are from one another, never finer than a commune.

A site's own coordinates would locate its member by three distances. So all sites of a commune share one position, and
that is rounded to a grid of about two kilometres before anything is computed of it.
"""

import math
from collections import defaultdict
from typing import Final, NamedTuple

from fleet.registry import Registry

_GRID: Final = 0.02  # degrees
_EARTH_KM: Final = 6371.0


class Position(NamedTuple):
    """Degrees WGS 84."""

    latitude: float
    longitude: float


def positions(registry: Registry) -> dict[str, Position]:
    """The communes of the network and of its members of which coordinates are known."""
    sites: dict[str, list[Position]] = defaultdict(list)
    for place in (registry.network.place, *(member.place for member in registry.members.values())):
        if place.latitude is not None and place.longitude is not None:
            sites[place.commune].append(Position(place.latitude, place.longitude))
    return {commune: _middle(found) for commune, found in sites.items()}


def kilometres(one: Position | None, other: Position | None) -> float | None:
    """The distance as the crow flies by the haversine formula, whole kilometres; None when a position is not known."""
    if one is None or other is None:
        return None
    south, north = math.radians(one.latitude), math.radians(other.latitude)
    east = math.radians(other.longitude - one.longitude)
    chord = math.sin((north - south) / 2) ** 2 + math.cos(south) * math.cos(north) * math.sin(east / 2) ** 2
    return float(round(2 * _EARTH_KM * math.asin(math.sqrt(min(1.0, chord)))))


def _middle(sites: list[Position]) -> Position:
    latitude = sum(site.latitude for site in sites) / len(sites)
    longitude = sum(site.longitude for site in sites) / len(sites)
    return Position(round(latitude / _GRID) * _GRID, round(longitude / _GRID) * _GRID)
