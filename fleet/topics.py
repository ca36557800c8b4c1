"""Topic grammar: broker permissions follow the first levels, so a member can write only below its own name."""

import re
from collections.abc import Iterable
from difflib import SequenceMatcher
from typing import Final

SLUG: Final = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,62}[a-z0-9])?")
"""Names of members, machines and rules in topics, files and commands."""

TOUCHED: Final = "net/v1/touched/{member}"
REJECTS: Final = "net/v1/rejects/{member}"
UNCLAIMED: Final = "net/v1/unclaimed/{member}"
FINDING: Final = "net/v1/findings/{member}/{machine}/{rule}"
HEALTH: Final = "net/v1/health/{program}"
COMMAND: Final = "net/v1/command/{program}"
SESSION: Final = "net/v1/session/{program}"
MARK: Final = "net/v1/mark/{mark}/{place}"
"""Nobody publishes there: a collector's session is known by having subscribed to it, see :mod:`bus.mark`."""
HANDOVER: Final = "net/v1/handover"
DEVICES: Final = ("m/+/#", "spBv1.0/+/#")
"""What a collector of all members subscribes to."""
_DEVICE_ROOTS: Final = frozenset(pattern.split("/", 1)[0] for pattern in DEVICES)
COLLECTOR: Final = "ingest"
"""The program of the collector that has no name; see :func:`collector_program`."""


def collector_program(name: str | None) -> str:
    """What a collector is called in topics and among the folders of data: ``ingest-<name>``, or ``ingest``."""
    return f"{COLLECTOR}-{name}" if name else COLLECTOR


def is_collector(program: str) -> bool:
    """Whether a program is a collector, with or without a name."""
    return program == COLLECTOR or program.startswith(f"{COLLECTOR}-")


def of_devices(pattern: str) -> bool:
    """Whether a topic filter is for what devices send."""
    return pattern.split("/", 1)[0] in _DEVICE_ROOTS


def reading_topic(member: str, machine: str) -> str:
    """Where a machine publishes canonical JSON; needs no entry for the format."""
    return f"m/{member}/{machine}/reading"


def member_of(topic: str) -> str | None:
    """The member below whose name the topic lies, or None when it is nobody's.

    The topic is what the broker authenticates, so it wins over any name inside a payload.
    """
    levels = topic.split("/", 2)
    if len(levels) < 3 or levels[0] not in ("m", "spBv1.0") or not SLUG.fullmatch(levels[1]):
        return None
    return levels[1]


def canonical_machine(topic: str) -> str | None:
    """The machine of a ``m/<member>/<machine>/reading`` topic, or None for any other topic."""
    levels = topic.split("/")
    if len(levels) != 4 or levels[0] != "m" or levels[3] != "reading" or not SLUG.fullmatch(levels[2]):
        return None
    return levels[2]


def matches(pattern: str, topic: str) -> bool:
    """Whether an MQTT topic filter (``+``, ``#``) matches a topic."""
    wanted, levels = pattern.split("/"), topic.split("/")
    for index, level in enumerate(wanted):
        if level == "#":
            return True
        if index >= len(levels) or level not in ("+", levels[index]):
            return False
    return len(wanted) == len(levels)


def nearest(wanted: str, topics: Iterable[str], least: float = 0.0) -> str:
    """The topic that is spelt most like the wanted one; "" when there is none that is at least so like it, 0 to 1."""
    likeness = {topic: SequenceMatcher(None, *_telling(topic, wanted)).ratio() for topic in topics}
    best = max(likeness, key=likeness.__getitem__, default="")
    return best if best and likeness[best] >= least else ""


def _telling(one: str, other: str) -> tuple[str, str]:
    """Two topics without the levels that the broker prescribes, and without a last one that both have."""
    left, right = one.split("/")[2:], other.split("/")[2:]
    if len(left) > 1 and len(right) > 1 and left[-1] == right[-1]:
        left, right = left[:-1], right[:-1]
    return "/".join(left), "/".join(right)


def slugify(name: str) -> str:
    """A name as a slug: ``Machine 3 - Round Grinding`` is ``machine-3-round-grinding``.

    Raises:
        ValueError: nothing of the name can stand in a slug.
    """
    import unicodedata

    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    slug = re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:64].strip("-")
    if not slug:
        raise ValueError(f"name {name!r}: no letter or digit that can stand in a topic")
    return slug
