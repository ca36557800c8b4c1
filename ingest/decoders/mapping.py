"""What a mapping profile may say: the model of ``ingest/profiles/*.toml``.

A path is names joined by dots; a number picks from a list. A name that itself holds dots is found as it stands. Of
several paths the first that exists counts.
"""

from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator

from ingest.decoders.bodies import BODIES
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
        units: text may end in one of these units, each with its factor (``{ W = 1, kW = 1000 }``).
        absent: words that stand where no value is known (``UNAVAILABLE``): the quantity is not there.
    """

    path: Paths
    scale: float = 1.0
    strings: bool = False
    boolean: bool = False
    noise: Annotated[float, Field(ge=0)] = 0.0
    shared: bool = False
    units: dict[str, float] = {}
    absent: tuple[str, ...] = ()


class StateRule(_Model):
    """Where a state's name stands.

    Attributes:
        map: its canonical name, "" for "says nothing of the machine"; capitals do not count, and true, false and whole
            numbers are taken by their text. Without it the name is canonical or of a vocabulary.
        ignore: names that say nothing of the machine, in any case.
        mode: where the operation mode of OPC UA Machinery stands; without one there the item state speaks alone.
    """

    path: Paths
    mode: tuple[str, ...] = ()
    map: dict[str, str] | None = None
    ignore: tuple[str, ...] = ()

    @field_validator("map")
    @classmethod
    def _known(cls, value: dict[str, str] | None) -> dict[str, str] | None:
        for name in filter(None, (value or {}).values()):
            state_code(name, "map")
        return None if value is None else {name.upper(): state for name, state in value.items()}

    @field_validator("ignore")
    @classmethod
    def _capitals(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(name.upper() for name in value)


class TimeRule(_Model):
    """Where the device's time stands.

    Attributes:
        form: see ``ingest.decoders.times.profile_ms``.
        unset: what a time before 2000 means: ``refuse`` it, or the ``arrival`` counts since the clock is not set yet.
        required: without it the message is refused, instead of being stamped on arrival.
    """

    path: Paths
    form: Literal["rfc3339", "local", "epoch_s", "epoch_ms", "auto"]
    unset: Literal["refuse", "arrival"] = "refuse"
    required: bool = False


class Message(_Model):
    """One kind of message of a device; the first whose ``topic`` fits counts.

    Attributes:
        topic: patterns of the last topic levels (``*`` and ``?`` inside a level); ``*`` is any topic.
        quiet: messages of this kind hold no reading and are accepted without a word.
        body: how bytes become objects, a name of ``ingest.decoders.bodies.BODIES``.
        topic_names: a key that stands for the name in a topic level (after its last dot), the last one unless
            ``name_level`` counts another from the end: ``{"value": 7}`` on ``.../power`` is ``{"power": 7}``.
        channel_level: the topic level, counted from the end, that is the number of a channel (``relay/0/power``: 2);
            a feed's channel is that number, alone or after the level before it (``relay:0``).
        rest: numbers of the object that no path names are kept as metrics under their own names.
        root: path of the object that the time's path and ``component`` start from.
        component: patterns of the keys below ``root`` that are measured channels (``switch:*``); with ``of_topic``,
            of the last topic level instead, the payload being the component itself.
        rename: kinds of component that belong to the channel of another (``emdata`` to ``em``).
        nothing: what a message without any of the quantities is.
    """

    topic: Paths = ("*",)
    quiet: bool = False
    body: str = "json"
    topic_names: str = ""
    name_level: Annotated[int, Field(ge=1)] = 1
    channel_level: Annotated[int, Field(ge=1)] | None = None
    rest: bool = False
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

    @field_validator("body")
    @classmethod
    def _readable(cls, value: str) -> str:
        if value not in BODIES:
            raise ValueError(f"one of {', '.join(BODIES)}")
        return value

    @property
    def lists_are_channels(self) -> bool:
        """Whether a feed's channel picks from lists; otherwise it picks a component, a topic or a device."""
        return not self.component and self.channel_level is None and not BODIES[self.body].takes_channel


class Mapping(_Model):
    """A profile: ``title`` and ``source`` are for people, ``connect`` tells how to set up a device."""

    title: str
    source: str
    connect: str = ""
    message: Annotated[tuple[Message, ...], Field(min_length=1)]
