"""The registry's nouns: the network, its members, their machines, calendars, consent and answers.

These are the files a person edits: ``network.toml`` and ``members/<member>.toml``. Every model refuses unknown keys and
names the field, the value and the rule it breaks.
"""

from datetime import date, datetime, time
from enum import StrEnum
from functools import cache
from typing import Annotated, Final, Literal
from zoneinfo import available_timezones

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from fleet.topics import SLUG


def _slug(value: str) -> str:
    if not SLUG.fullmatch(value):
        raise ValueError("only a-z, 0-9 and hyphens inside, 1 to 64 characters")
    return value


@cache
def _zones() -> frozenset[str]:
    return frozenset(available_timezones())  # reads the whole time zone database: 10 ms


def _zone(value: str) -> str:
    if value not in _zones():
        raise ValueError("not a time zone of the IANA database, such as Europe/Paris")
    return value


Slug = Annotated[str, AfterValidator(_slug)]
ZoneName = Annotated[str, AfterValidator(_zone)]
Text = Annotated[str, Field(min_length=1, max_length=200)]


class Model(BaseModel):
    """Base of all registry models: unknown keys are errors, values do not change."""

    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=True)


class Place(Model):
    """Where a site is; coordinates in degrees WGS 84."""

    commune: Text
    postcode: Annotated[str, Field(pattern=r"^[0-9A-Z -]{3,10}$")] | None = None
    latitude: Annotated[float, Field(ge=-90, le=90)] | None = None
    longitude: Annotated[float, Field(ge=-180, le=180)] | None = None


class Holidays(Model):
    """Public holidays by the `holidays` library; ``extra`` adds days of the network's own."""

    country: Annotated[str, Field(pattern=r"^[A-Z]{2}$")]
    subdivision: str | None = None
    extra: tuple[date, ...] = ()


VERSION: Final = 1
"""Of the registry's files, all of them."""


class Network(Model):
    """The network itself, ``network.toml``: nothing of one territory is in the code.

    Attributes:
        version: of the registry's files; a program refuses what is newer than it knows.
        languages: of the pages, the first being the default.
        broker: where members' devices connect, ``mqtts://mqtt.example.org``; told to them, used by no program.
        energy_eur_per_kwh: what members pay for a kilowatt-hour; where nothing is said, ``fleet.tariffs`` knows.
        grid_co2_g_per_kwh: carbon intensity of the electricity, with its source; likewise.
        idle_eur_per_year: what a machine may cost while idle before its owner hears of it; ``fleet.tariffs`` likewise.
    """

    version: Annotated[int, Field(ge=1, le=VERSION)] = VERSION
    name: Text
    place: Place
    timezone: ZoneName
    holidays: Holidays | None = None
    languages: Annotated[tuple[Literal["fr", "de", "en"], ...], Field(min_length=1)] = ("fr", "de", "en")
    coordinator: Text | None = None
    contact: Text | None = None
    broker: Annotated[str, Field(pattern=r"^mqtts?://[A-Za-z0-9._-]+(:[0-9]{1,5})?$")] | None = None
    energy_eur_per_kwh: Annotated[float, Field(ge=0)] | None = None
    grid_co2_g_per_kwh: Annotated[float, Field(ge=0)] | None = None
    grid_co2_source: Text | None = None
    idle_eur_per_year: Annotated[float, Field(gt=0)] | None = None


class Day(StrEnum):
    """Days of the week as they stand in calendars."""

    MON = "mon"
    TUE = "tue"
    WED = "wed"
    THU = "thu"
    FRI = "fri"
    SAT = "sat"
    SUN = "sun"


class Shift(Model):
    """A span of the week in local time; ``end`` at or before ``start`` ends on the next day, 00:00 to 00:00 is 24 h."""

    days: Annotated[tuple[Day, ...], Field(min_length=1)]
    start: time
    end: time


class Closure(Model):
    """Days on which nothing runs, first and last included."""

    first: date
    last: date
    reason: Text | None = None


class Reservation(Model):
    """Hours already promised or lent; ``lent`` ones leave both sides of the utilisation."""

    start: datetime
    end: datetime
    lent: bool = False
    note: Text | None = None


class Calendar(Model):
    """When a machine is staffed, offered and closed. An empty ``staffed`` is "not known", never "always"."""

    staffed: tuple[Shift, ...] = ()
    offered: tuple[Shift, ...] = ()
    closures: tuple[Closure, ...] = ()
    works_on_holidays: bool = False


class Trade(StrEnum):
    """Families of machines; a compressor is a utility and never shareable."""

    PAINT = "paint"
    MACHINING = "machining"
    TURNING = "turning"
    LASER = "laser"
    PRESS = "press"
    FURNACE = "furnace"
    TEST = "test"
    WELDING = "welding"
    EDM = "edm"
    WASHING = "washing"
    INJECTION = "injection"
    GRINDING = "grinding"
    UTILITY = "utility"
    OTHER = "other"


class Feed(Model):
    """One topic (filter) of a machine and the format of what arrives there.

    Attributes:
        topic: below ``m/<member>/`` or ``spBv1.0/<member>/``; ``+`` and ``#`` are allowed.
        format: name of a decoder or of a mapping profile.
        channel: which part of a payload with several channels.
        timezone: of device times without an offset; the network's when absent.
        scale_w: factor from the sent power to watts (1000 for kW).
        clock_ahead_s: how far the device's clock is ahead (negative: behind), taken off its times; not for Sparkplug,
            whose nodes tell their own time.
    """

    topic: Annotated[str, Field(pattern=r"^(m|spBv1\.0)/[a-z0-9-]+/.+$", max_length=500)]
    format: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]*$")]
    channel: str | None = None
    timezone: ZoneName | None = None
    scale_w: Annotated[float, Field(gt=0)] = 1.0
    clock_ahead_s: Annotated[float, Field(ge=-31_622_400, le=31_622_400)] = 0.0

    @model_validator(mode="after")
    def _own_time(self) -> "Feed":
        if self.clock_ahead_s and self.format == "sparkplug":
            raise ValueError("clock_ahead_s: not for sparkplug, whose nodes tell their own time; set the node's clock")
        return self


class Calibration(Model):
    """Power while the owner stood at the machine, watts."""

    off_w: Annotated[float, Field(ge=0)] | None = None
    standby_w: Annotated[float, Field(ge=0)] | None = None
    working_w: Annotated[float, Field(gt=0)] | None = None
    at: datetime | None = None


class Mode(StrEnum):
    """How a machine is lent."""

    TOLL = "facon"
    WITH_OPERATOR = "avec-operateur"
    WITHOUT_OPERATOR = "sans-operateur"


class Offer(Model):
    """What the owner proposes: *declared* (typed, no telemetry, no probability) or *measured*."""

    kind: Literal["declared", "measured"] = "measured"
    mode: Mode = Mode.TOLL
    since: date | None = None
    until: date | None = None
    hours_per_week: Annotated[float, Field(gt=0, le=168)] | None = None
    contact: Text | None = None
    note: Text | None = None


class Machine(Model):
    """A machine. ``every`` is the longest normal distance between two readings of its feed, seconds.

    Attributes:
        feeds: none means canonical JSON on ``m/<member>/<machine>/reading`` alone.
        counts: what ``count`` counts while the machine produces.
        minimum_hours: shortest useful job (L_min), hours; by trade when absent.
        changeover_hours: changeover plus safety (b), hours; by trade when absent.
        hold_after_hours: curing, cooling, a mounted die: extends busy.
        works_confirmed: the owner's word that the machine works.
        attributes: what a need is matched against (dimensions, mass, certificates...).
    """

    id: Slug
    name: Text
    trade: Trade = Trade.OTHER
    feeds: tuple[Feed, ...] = ()
    every: Annotated[float, Field(gt=0, le=86_400)] = 300.0
    shareable: bool = True
    calendar: Calendar | None = None
    reservations: tuple[Reservation, ...] = ()
    calibration: Calibration = Calibration()
    rated_w: Annotated[float, Field(gt=0)] | None = None
    counts: Literal["pieces", "cycles"] | None = None
    minimum_hours: Annotated[float, Field(gt=0)] | None = None
    changeover_hours: Annotated[float, Field(ge=0)] | None = None
    hold_after_hours: Annotated[float, Field(ge=0)] | None = None
    works_confirmed: date | None = None
    offer: Offer | None = None
    attributes: dict[str, str | float | bool] = {}


class Level(StrEnum):
    """What a consent lets its recipient see; not a ladder (``docs/consent.md``). The default is ``none``."""

    NONE = "none"
    OFFERS = "offers"
    HOURS = "hours"
    STREAM = "stream"


class Consent(Model):
    """One consent: a machine, a recipient, a purpose, an end."""

    machine: Slug
    recipient: Text
    level: Level
    purpose: Text
    since: date
    until: date | None = None
    quantities: tuple[Literal["state", "utilisation", "power_w", "energy_wh", "count"], ...] = ()


class Answer(Model):
    """The owner's answer to a flag: ``fleet.consent.answers_to`` says which a rule's has; *reserve* notes it."""

    machine: Slug
    rule: Slug
    answer: Literal["propose", "reserve", "wrong"]
    because: Text | None = None
    at: datetime


class Member(Model):
    """A member, ``members/<slug>.toml``; the file's name is its slug and its first topic level.

    Attributes:
        retention_days: how long raw readings are kept; 0 keeps them for ever (recordings).
        energy_eur_per_kwh: what it pays for a kilowatt-hour; the network's when absent.
        idle_eur_per_year: from which cost of idling on it hears of a machine; likewise.
    """

    slug: Slug
    name: Text
    place: Place
    contact: Text | None = None
    signatory: Text | None = None
    timezone: ZoneName | None = None
    calendar: Calendar = Calendar()
    retention_days: Annotated[int, Field(ge=0)] = 90
    energy_eur_per_kwh: Annotated[float, Field(ge=0, le=10)] | None = None
    idle_eur_per_year: Annotated[float, Field(gt=0)] | None = None
    machines: tuple[Machine, ...] = ()
    consents: tuple[Consent, ...] = ()
    answers: tuple[Answer, ...] = ()
