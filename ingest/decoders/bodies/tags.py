"""Tags of controllers as gateways send them: a list or a table of names and values under one time, or under their own.

Read are ``{"timestamp", "values": [{"id", "v", "q", "t"}]}`` (Kepware's IoT Gateway), ``{"timestamp", "node", "tags":
[{"name", "value" or "error"}]}`` and ``{"timestamp", "node", "values": {name: value}, "errors": {name: code}}``
(Neuron), ``{"ts", "values": {name: value}}`` (ThingsBoard), ``{"vals": [{"id", "val", "qc", "ts"}]}`` (Siemens
Industrial Edge), and lists of them. Tags of one time are one object. A tag that could not be read, or whose quality is
bad, is ``UNAVAILABLE``; an uncertain one is kept and counted as ``uncertain``. Of a name with dots the last part is the
quantity's, what stands before it the device's: the feed's channel picks the device when a message holds several, by its
whole name or by the last parts of it, as long as they are one device's.
"""

from collections.abc import Iterator
from typing import Any, Final, NamedTuple

from ingest.decoders.base import Context, DecodeError
from ingest.decoders.bodies.base import TIME, UNAVAILABLE, Documents, bounded, parsed

_HOLDERS: Final = ("values", "tags", "vals")
_NAMES: Final = ("id", "name")
_VALUES: Final = ("v", "value", "val")
_OWN_TIMES: Final = ("t", "ts")
_TIMES: Final = ("timestamp", "ts")
_RULE: Final = "an object with values, tags or vals: a list of named values, or a table of them"
_BAD, _UNCERTAIN = 0, 1  # quality codes of Industrial Edge; 2 and 3 are good


class _Tag(NamedTuple):
    device: str
    name: str
    value: Any
    time: Any


def documents(topic: str, payload: bytes, context: Context) -> Documents:  # noqa: ARG001 - one signature for all
    """One object a time; a :class:`DecodeError` for each tag that is none."""
    document = parsed(payload)
    messages = document if isinstance(document, list) else [document]
    tags: list[_Tag] = []
    wrong: list[DecodeError] = []
    for message in messages:
        for one in _tags(message, context):
            tags.append(one) if isinstance(one, _Tag) else wrong.append(one)
            bounded(len(tags) + len(wrong), "tags")
    found: dict[str, dict[str, Any]] = {}
    for tag in _of_device(tags, context.channel):
        held = found.setdefault(repr(tag.time), {} if tag.time is None else {TIME: tag.time})
        held[tag.name] = tag.value
    return Documents([*found.values(), *wrong], many=len(found) + len(wrong) > 1)


def _tags(message: Any, context: Context) -> Iterator[_Tag | DecodeError]:
    holder = next((name for name in _HOLDERS if isinstance(message, dict) and name in message), None)
    held = message[holder] if holder is not None else None
    if not isinstance(held, list | dict):
        raise DecodeError("shape", holder or "", message if holder is None else held, _RULE)
    time, node = _first(message, _TIMES), message.get("node")
    device = node if isinstance(node, str) else ""
    if isinstance(held, list):
        for one in held:
            yield _listed(one, time, device, context)
        return
    errors = message.get("errors")
    for name in errors if isinstance(errors, dict) else ():
        yield _named(name, UNAVAILABLE, time, device)
    for name, value in held.items():
        yield _named(name, value, time, device)


def _listed(one: Any, time: Any, device: str, context: Context) -> _Tag | DecodeError:
    name = _first(one, _NAMES) if isinstance(one, dict) else None
    if isinstance(name, int) and not isinstance(name, bool):
        name = str(name)
    if not isinstance(name, str):
        return DecodeError("shape", "", one, f"a tag with {' or '.join(_NAMES)}")
    quality = one.get("qc")
    if quality == _UNCERTAIN and not isinstance(quality, bool):
        context.note("uncertain")
    bad = one.get("q") is False or "error" in one or quality == _BAD
    own = _first(one, _OWN_TIMES)
    return _named(name, UNAVAILABLE if bad else _first(one, _VALUES), time if own is None else own, device)


def _named(name: str, value: Any, time: Any, device: str) -> _Tag:
    before, _, last = name.rpartition(".")
    return _Tag(before or device, last, value, time)


def _of_device(tags: list[_Tag], channel: str | None) -> list[_Tag]:
    if channel is not None:
        named = [tag for tag in tags if tag.device == channel]
        tags = named or [tag for tag in tags if tag.device.endswith(f".{channel}")]
    devices = sorted({tag.device for tag in tags})
    if len(devices) > 1:
        raise DecodeError("channel", "", ", ".join(devices[:9]), "the feed's channel says which device the machine is")
    return tags


def _first(holder: dict[str, Any], names: tuple[str, ...]) -> Any:
    return next((holder[name] for name in names if holder.get(name) is not None), None)
