"""MTConnect's JSON as agents publish it by MQTT: response documents (versions 1 and 2) and single observations.

An object has each value under its type's element name (``Execution``, ``PartCount``; with a sub-type other than ALL or
ACTUAL ``PartCount:GOOD``) and under its data item's id and name, so a mapping may go by either. Observations of one
timestamp are one object. A document on a topic with a level ``Current`` is a snapshot: everything in it holds at the
header's ``creationTime``, however long ago it changed. Conditions carry no value. The feed's channel names a device by
name or uuid; the stream of the agent itself is left out. Two data items of one type at one instant are refused unless
the mapping goes by their ids: which of two paths' executions is the machine's cannot be known.
"""

from typing import Any, Final, NamedTuple

from ingest.decoders.base import MAX_ELEMENTS, Context, DecodeError
from ingest.decoders.bodies.base import TIME, Documents, Several, bounded, parsed

_PLAIN_SUBTYPES: Final = frozenset({"ALL", "ACTUAL"})
_OTHERS: Final = ("MTConnectDevices", "MTConnectAssets", "MTConnectError", "Device", "Agent")
_SKIPPED: Final = frozenset({"Condition", "Header", "MTConnectStreams"})
_RULE: Final = "an MTConnectStreams document, or an observation with a dataItemId"


class _Observation(NamedTuple):
    kind: str
    names: tuple[str, ...]
    value: Any
    time: Any


def documents(topic: str, payload: bytes, context: Context) -> Documents:
    """One object a timestamp, or a single one for a snapshot."""
    document = parsed(payload)
    streams = document.get("MTConnectStreams") if isinstance(document, dict) else None
    if streams is None:
        if isinstance(document, dict) and any(name in document for name in _OTHERS):
            return Documents([], many=False)
        observations = _observations("", document)
        if not observations and not _is_condition(document):
            raise DecodeError("shape", "", payload, _RULE)
        return Documents(_by_time(observations), many=len(observations) > 1)
    observations = _observations("", _device(streams, context.channel))
    bounded(len(observations), "observations")
    created = _created(streams)
    if created is not None and "Current" in topic.split("/"):
        observations = [found._replace(time=created) for found in observations]
    return Documents(_by_time(observations), many=True)


def _is_condition(document: Any) -> bool:
    elements = document if isinstance(document, list) else [document]
    return bool(elements) and all(isinstance(one, dict) and "dataItemId" in one for one in elements)


def _created(streams: Any) -> Any:
    header = streams.get("Header") if isinstance(streams, dict) else None
    return header.get("creationTime") if isinstance(header, dict) else None


def _device(streams: Any, channel: str | None) -> list[Any]:
    """The streams of the feed's device."""
    held = streams.get("Streams") if isinstance(streams, dict) else None
    found: list[dict[str, Any]] = []
    for entry in held if isinstance(held, list) else [held]:
        stream = entry.get("DeviceStream") if isinstance(entry, dict) else None
        found += [one for one in (stream if isinstance(stream, list) else [stream]) if isinstance(one, dict)]
    if channel is not None:
        return [one for one in found if channel in (one.get("name"), one.get("uuid"))]
    machines = [one for one in found if not str(one.get("name")).lower().startswith("agent")]
    if len(machines) > 1:
        names = ", ".join(str(one.get("name")) for one in machines[:9])
        raise DecodeError("channel", "", names, "the feed's channel says which device the machine is")
    return list(machines)


def _observations(key: str, node: Any) -> list[_Observation]:
    """All observations below a node, in its order; ``key`` is the nearest name above it."""
    found: list[_Observation] = []
    waiting: list[tuple[str, Any]] = [(key, node)]
    while waiting:
        name, here = waiting.pop()
        if isinstance(here, list):
            waiting += [(name, child) for child in reversed(here)]
        elif isinstance(here, dict):
            if "dataItemId" in here:
                found += _observation(name, here)
            else:
                waiting += [(child, here[child]) for child in reversed(here) if child not in _SKIPPED]
        if len(found) > MAX_ELEMENTS:
            bounded(len(found), "observations")
    return found


def _observation(name: str, node: dict[str, Any]) -> list[_Observation]:
    value = node.get("value", node.get("result"))
    own = node.get("type")
    kind = name or (own.title().replace("_", "") if isinstance(own, str) else "")
    if value is None or isinstance(value, dict | list) or node.get("category") == "CONDITION":
        return []
    sub = node.get("subType")
    if isinstance(sub, str) and sub not in _PLAIN_SUBTYPES:
        kind = f"{kind}:{sub}"
    names = tuple(dict.fromkeys(one for one in (node["dataItemId"], node.get("name")) if isinstance(one, str)))
    return [_Observation(kind, names, value, node.get("timestamp"))]


def _by_time(observations: list[_Observation]) -> list[Any]:
    found: dict[str, dict[str, Any]] = {}
    sources: dict[tuple[str, str], dict[tuple[str, ...], Any]] = {}
    for each in observations:
        stamp = repr(each.time)
        document = found.setdefault(stamp, {} if each.time is None else {TIME: each.time})
        document.update(dict.fromkeys(each.names, each.value))
        sources.setdefault((stamp, each.kind), {})[each.names] = each.value
    for (stamp, kind), values in sources.items():
        found[stamp][kind] = Several(values.values()) if len(values) > 1 else next(iter(values.values()))
    return list(found.values())
