"""Which objects of a payload belong to the channel a machine is on."""

from fnmatch import fnmatchcase
from typing import Any

from ingest.decoders.base import DecodeError, show
from ingest.decoders.mapping import Message
from ingest.decoders.values import at_path


def parts_of(message: Message, topic: str, document: Any, channel: str | None) -> tuple[Any, list[Any]]:
    """The object that the time stands in, and the objects to look for quantities in (none: not this machine's).

    Raises:
        DecodeError: not an object, or several channels and none is chosen.
    """
    if not isinstance(document, dict):
        raise DecodeError("shape", "", document if isinstance(document, str) else show(document), "an object")
    root = at_path(message.root, document) if message.root else document
    if root is None or not message.component:
        return root, [] if root is None else [root]
    if not isinstance(root, dict):
        raise DecodeError("shape", message.root, root, "an object")
    if message.of_topic:
        last = topic.rsplit("/", 1)[-1]
        components = {last: root} if _is_component(message, last) else {}
    else:
        components = {name: part for name, part in root.items() if _is_component(message, name)}
    return root, _chosen(message, components, channel)


def is_heard(message: Message, topic: str, channel: str | None) -> bool:
    """Whether a topic that names its channel is on the machine's channel.

    Raises:
        DecodeError: the feed names no channel and the topic is not of the first.
    """
    if message.channel_level is None:
        return True
    kind, number = ["", "", *topic.split("/")][-message.channel_level - 1 :][:2]
    if channel is None and number != "0":
        raise DecodeError("channel", "", f"{kind}:{number}", "the feed says which channel the machine is on")
    return channel is None or channel in (number, f"{kind}:{number}")


def named_by_topic(message: Message, topic: str, document: Any) -> Any:
    """The object with its value under the name that a level of the topic gives."""
    key = message.topic_names
    if not key or not isinstance(document, dict) or key not in document:
        return document
    name = ["", *topic.split("/")][-message.name_level].rpartition(".")[2]
    return {**{other: value for other, value in document.items() if other != key}, name: document[key]}


def _is_component(message: Message, name: str) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in message.component)


def _chosen(message: Message, components: dict[str, Any], channel: str | None) -> list[Any]:
    by_channel: dict[str, list[Any]] = {}
    for name, part in components.items():
        kind, colon, number = name.partition(":")
        by_channel.setdefault(message.rename.get(kind, kind) + colon + number, []).append(part)
    if channel is not None:
        return [
            part for name, group in by_channel.items() if channel in (name, name.partition(":")[2]) for part in group
        ]
    if len(by_channel) > 1:
        names = ", ".join(sorted(by_channel))
        raise DecodeError("channel", "", names, "the feed says which channel the machine is on")
    return [part for group in by_channel.values() for part in group]
