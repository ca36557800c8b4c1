"""What a mapping profile may say: the model of ``ingest/profiles/*.toml``.

A path is names joined by dots; a number picks from a list. Of several paths the first that exists counts.
"""

from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator

from ingest.decoders.states import state_code


def _as_tuple(value: object) -> object:
    return (value,) if isinstance(value, str) else value


Paths = Annotated[tuple[str, ...], BeforeValidator(_as_tuple), Field(min_length=1)]


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Quantity(_Model):
    """Where a number stands and how it becomes the quantity.

    Attributes:
        scale: factor to the unit of the quantity (1000 from kWh to Wh).
        strings: numbers may come as text, zero-padded ones included.
        boolean: true and false count as 1 and 0.
        noise: values between minus this and 0 are 0, as meters show around nothing.
        shared: in a payload whose other quantities are lists, one value holds for every channel.
    """

    path: Paths
    scale: float = 1.0
    strings: bool = False
    boolean: bool = False
    noise: Annotated[float, Field(ge=0)] = 0.0
    shared: bool = False


class StateRule(_Model):
    """Where a state's name stands; ``map`` gives its canonical name, "" for "says nothing of the machine"."""

    path: Paths
    map: dict[str, str] | None = None

    @field_validator("map")
    @classmethod
    def _known(cls, value: dict[str, str] | None) -> dict[str, str] | None:
        for name in filter(None, (value or {}).values()):
            state_code(name, "map")
        return value


class TimeRule(_Model):
    """Where the device's time stands.

    Attributes:
        form: see ``ingest.decoders.times.profile_ms``.
        unset: what a time before 2000 means: ``refuse`` it, or the ``arrival`` counts since the clock is not set yet.
    """

    path: Paths
    form: Literal["rfc3339", "local", "epoch_s", "epoch_ms", "auto"]
    unset: Literal["refuse", "arrival"] = "refuse"


class Message(_Model):
    """One kind of message of a device; the first whose ``topic`` fits counts.

    Attributes:
        topic: patterns of the last topic levels (``*`` and ``?`` inside a level); ``*`` is any topic.
        quiet: messages of this kind hold no reading and are accepted without a word.
        root: path of the object that the time's path and ``component`` start from.
        component: patterns of the keys below ``root`` that are measured channels (``switch:*``); with ``of_topic``,
            of the last topic level instead, the payload being the component itself.
        rename: kinds of component that belong to the channel of another (``emdata`` to ``em``).
        nothing: what a message without any of the quantities is.
    """

    topic: Paths = ("*",)
    quiet: bool = False
    root: str = ""
    component: tuple[str, ...] = ()
    of_topic: bool = False
    rename: dict[str, str] = {}
    nothing: Literal["quiet", "reject"] = "reject"
    time: TimeRule | None = None
    state: StateRule | None = None
    utilisation: Quantity | None = None
    power_w: Quantity | None = None
    energy_wh: Quantity | None = None
    count: Quantity | None = None
    seq: Quantity | None = None
    boot: Quantity | None = None
    metrics: dict[str, Quantity] = {}


class Mapping(_Model):
    """A profile: ``title`` and ``source`` are for people, ``connect`` tells how to set up a device."""

    title: str
    source: str
    connect: str = ""
    message: Annotated[tuple[Message, ...], Field(min_length=1)]
