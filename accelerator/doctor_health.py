"""The programs' health as the broker retains it, for the doctor."""

from collections.abc import Mapping
from typing import Any, Final

from fleet.topics import COLLECTOR, HEALTH, is_collector

_HEALTH: Final = HEALTH.format(program="")


def health_of(retained: Mapping[str, Any], program: str) -> Mapping[str, Any]:
    """The newest health message of a program; empty when there is none."""
    health = retained.get(f"{_HEALTH}{program}")
    return health if isinstance(health, dict) else {}


def collectors(retained: Mapping[str, Any]) -> list[str]:
    """Every collector that was heard of; the one without a name of its own while there is no other."""
    heard = sorted(topic.removeprefix(_HEALTH) for topic in retained if topic.startswith(_HEALTH))
    return [name for name in heard if is_collector(name)] or [COLLECTOR]
