"""What a body is: the step from bytes to objects, before a mapping picks its quantities."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from pydantic_core import from_json

from ingest.decoders.base import MAX_ELEMENTS, Context, DecodeError

TIME: Final = "@time"
"""Key of the device's time in the objects of a body that carries one."""
UNAVAILABLE: Final = "UNAVAILABLE"
"""Stands where a format says that a value is not known; as a state it is UNKNOWN."""


class Several(tuple[Any, ...]):
    """Values of more than one source where a mapping expects one; refused when a path of it leads here."""

    __slots__ = ()


class Documents(NamedTuple):
    """The objects of one message, in its order; a :class:`DecodeError` stands where one cannot be read.

    ``many``: the message may hold several, so faults name their position.
    """

    found: list[Any]
    many: bool


@dataclass(frozen=True, slots=True)
class Body:
    """A way to read bytes.

    Attributes:
        documents: topic, payload, context -> its objects. Raises DecodeError when nothing of it can be read; an empty
            list says "well formed, and nothing here".
        takes_channel: the feed's channel is used up here, to pick a device or a writer.
    """

    documents: Callable[[str, bytes, Context], Documents]
    takes_channel: bool = False


def parsed(payload: bytes) -> Any:
    """A payload as JSON.

    Raises:
        DecodeError: it is none.
    """
    try:
        return from_json(payload)
    except ValueError as error:
        raise DecodeError("json", "", payload, f"JSON in UTF-8: {error}") from None


def text_of(payload: bytes) -> str:
    """A payload as text.

    Raises:
        DecodeError: it is not UTF-8.
    """
    try:
        return payload.decode()
    except UnicodeDecodeError:
        raise DecodeError("shape", "", payload, "text in UTF-8") from None


def bounded(count: int, what: str) -> None:
    """Raise for more elements than one message may hold."""
    if count > MAX_ELEMENTS:
        raise DecodeError("too_large", "", f"{count} {what}", f"at most {MAX_ELEMENTS} in one message")
