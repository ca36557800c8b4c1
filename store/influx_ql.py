"""The few forms of InfluxQL that the store asks. Pure."""

import re
from collections.abc import Iterable, Sequence
from typing import Final

from fleet.batch import MachineKey

_NAMED_MACHINES: Final = 50


def select(fields: Iterable[str], sources: str, where: str = "", group_by: str = "machine,member") -> str:
    """A query; the tags that it is grouped by come back as one text a row. ``where`` may go on after its condition."""
    condition = f" WHERE {where}" if where else ""
    return f"SELECT {','.join(fields)} FROM {sources}{condition} GROUP BY {group_by}"  # noqa: S608  # quoted by the callers


def source(bucket: str, measurement: str) -> str:
    """A measurement of a bucket."""
    return f"{named(bucket)}..{named(measurement)}"


def named(name: str) -> str:
    """An identifier."""
    escaped = name.replace("\\", r"\\").replace('"', r"\"")
    return f'"{escaped}"'


def among(machines: Sequence[MachineKey]) -> str:
    """A condition that begins with AND; none for so many machines that picking rows afterwards is cheaper."""
    if not 0 < len(machines) <= _NAMED_MACHINES:
        return ""
    each = (f"(machine = {quoted(key.machine)} AND member = {quoted(key.member)})" for key in machines)
    return f" AND ({' OR '.join(each)})"


def of_kind(kind: str) -> str:
    """A condition: documents of the kind and of the kinds below it."""
    below = re.escape(kind).replace("/", r"\/")
    return f"(kind = {quoted(kind)} OR kind =~ /^{below}\\//)"


def quoted(text: str) -> str:
    """A string of InfluxQL."""
    return "'" + text.replace("\\", r"\\").replace("'", r"\'") + "'"
