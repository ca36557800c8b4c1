"""Devices whose payloads are only a mapping: ``ingest/profiles/<device>.toml``, found by file name."""

import tomllib
from collections.abc import Callable, Iterator
from collections.abc import Mapping as MappingOf
from fnmatch import fnmatchcase
from functools import lru_cache, partial
from importlib.resources import files
from typing import Any

from pydantic import ValidationError

from fleet.batch import NO_INT, Reading
from ingest.decoders import values
from ingest.decoders.base import MAX_METRICS, Context, DecodeError, Fault, metrics_json, refuse_unreadable
from ingest.decoders.bodies import BODIES
from ingest.decoders.bodies.base import UNAVAILABLE
from ingest.decoders.mapping import Mapping, Message, StateRule
from ingest.decoders.parts import is_heard, named_by_topic, parts_of
from ingest.decoders.states import state_code, state_in_mode
from ingest.decoders.times import EARLIEST_MS, profile_ms

_AMOUNTS = ("utilisation", "power_w", "energy_wh")
_COUNTS = (("count", "counter"), ("seq", "seq"), ("boot", "boot"))


class ProfileError(ValueError):
    """A profile's file is not what :mod:`ingest.decoders.mapping` describes."""


class Profile:
    """One profile, ready to decode; its name is its file's."""

    def __init__(self, name: str, mapping: Mapping) -> None:
        self.name = name
        self.mapping = mapping
        self._message = lru_cache(maxsize=4096)(self._find_message)

    def decode(self, topic: str, payload: bytes, context: Context) -> list[Reading]:
        """As every decoder; an array is an array of messages.

        Raises:
            DecodeError: by field; the other quantities of the message are kept.
        """
        message = self._message(topic)
        if message is None:
            raise DecodeError("topic", "", topic, f"a topic that ends as profile {self.name} says")
        if message.quiet or not is_heard(message, topic, context.channel):
            context.note("quiet")
            return []
        refuse_unreadable(payload)
        documents, many = BODIES[message.body].documents(topic, payload, context)
        if not documents:
            context.note("quiet")
        readings, faults = [], []
        numbers: list[tuple[int, int]] = []
        for index, element in enumerate(documents):
            reading, wrong = _read(message, topic, element, context)
            readings += [reading] if reading else []
            numbers += _numbers(message, topic, element, context) if wrong and not reading else []
            faults += [fault._replace(element=index) for fault in wrong] if many else wrong
        if faults:
            error = DecodeError.of(faults, readings)
            error.numbers = numbers
            raise error
        return readings

    def _find_message(self, topic: str) -> Message | None:
        levels = topic.split("/")
        for message in self.mapping.message:
            if any(_ends_as(pattern, levels) for pattern in message.topic):
                return message
        return None


def _ends_as(pattern: str, levels: list[str]) -> bool:
    wanted = pattern.split("/")
    last = levels[-len(wanted) :]
    return len(last) == len(wanted) and all(map(fnmatchcase, last, wanted))


def _read(message: Message, topic: str, document: Any, context: Context) -> tuple[Reading | None, list[Fault]]:
    if isinstance(document, DecodeError):
        return None, list(document.faults)
    try:
        document = named_by_topic(message, topic, document)
        root, parts = parts_of(message, topic, document, context.channel)
        at_ms = _time(message, root, context)
        readers = list(_readers(message, parts, context))
    except DecodeError as error:
        return None, list(error.faults)
    found, faults = _collected(readers)
    if any(fault.reason == "channel" for fault in faults):
        return None, faults
    metrics = _rest(message, parts) if message.rest else {}
    metrics |= {name.removeprefix("metrics."): found.pop(name) for name in list(found) if name.startswith("metrics.")}
    if not found.keys() - {"seq", "boot"} and not metrics:
        if not faults and message.nothing == "quiet":
            context.note("quiet")
        elif not faults:
            faults = [Fault("empty", "", "", f"one of {', '.join(_wanted(message))}")]
        return None, faults
    return Reading(at_ms, metrics=metrics_json(metrics) if metrics else "", **found), faults


def _numbers(message: Message, topic: str, document: Any, context: Context) -> list[tuple[int, int]]:
    """(boot, seq) of a refused element, if it has a number."""
    if message.seq is None or isinstance(document, DecodeError):
        return []
    try:
        _, parts = parts_of(message, topic, named_by_topic(message, topic, document), context.channel)
        source = values.source_of(message, parts, context.channel)
        seq = values.count(message.seq, source)
        boot = values.count(message.boot, source) if message.boot else None
    except DecodeError:
        return []
    return [] if seq is None else [(NO_INT if boot is None else boot, seq)]


def _collected(readers: list[tuple[str, Callable[[], Any]]]) -> tuple[dict[str, Any], list[Fault]]:
    found: dict[str, Any] = {}
    faults: list[Fault] = []
    for field, read in readers:
        try:
            value = read()
        except DecodeError as error:
            faults += error.faults
        else:
            if value is not None:
                found[field] = value
    return found, faults


def _readers(message: Message, parts: list[Any], context: Context) -> Iterator[tuple[str, Callable[[], Any]]]:
    source = values.source_of(message, parts, context.channel)
    for field in _AMOUNTS:
        if rule := getattr(message, field):
            factor = context.scale_w if field == "power_w" else 1.0
            top = 1.0 if field == "utilisation" else values.LARGEST
            yield field, partial(values.amount, rule, source, factor, top)
    for field, column in _COUNTS:
        if rule := getattr(message, field):
            yield column, partial(values.count, rule, source)
    for name, rule in message.metrics.items():
        yield f"metrics.{name}", partial(values.metric, rule, source)
    if message.state:
        yield "state", partial(_state, message.state, parts)


def _state(rule: StateRule, parts: list[Any]) -> int | None:
    for path in rule.path:  # a name that says nothing leaves the word to the next path
        field, value = values.find([path], parts)
        name = value.strip().upper() if isinstance(value, str) else ""
        if value is not None and name not in rule.ignore:
            return _mapped(rule.map, field, value) if rule.map is not None else _named(rule, parts, field, value)
    return None


def _named(rule: StateRule, parts: list[Any], field: str, value: object) -> int:
    mode_field, mode = values.find(rule.mode, parts)
    if mode is None or mode == UNAVAILABLE:
        return state_code(value, field)
    return state_in_mode(value, field, mode, mode_field)


def _mapped(names: dict[str, str], field: str, value: object) -> int | None:
    text = str(value).strip().upper() if isinstance(value, str | bool | int) else ""
    if text not in names:
        raise DecodeError("state", field, value, f"one of {', '.join(names)}")
    return state_code(names[text], field) if names[text] else None


def _rest(message: Message, parts: list[Any]) -> dict[str, float]:
    """Numbers that no path of the message names; the first of them, when there are more than a reading may have."""
    named = {path.partition(".")[0] for path in _paths(message)}
    found: dict[str, float] = {}
    for name, value in ((name, value) for part in parts if isinstance(part, dict) for name, value in part.items()):
        if name not in named and len(found) < MAX_METRICS and (number := values.plain_number(value)) is not None:
            found.setdefault(name, number)
    return found


def _time(message: Message, root: Any, context: Context) -> int | None:
    if message.time is None:
        return None
    field, value = values.find(message.time.path, [root])
    if value is None:
        if message.time.required:
            raise DecodeError("time", message.time.path[0], None, "the device's time stands here")
        return None
    unset = message.time.unset == "arrival"
    try:
        return profile_ms(value, message.time.form, field, context.timezone, context.arrived_ms)
    except DecodeError:
        if unset and _before_2000(value, message.time.form):
            context.note("clock_not_set")
            return None
        raise


def _before_2000(value: object, form: str) -> bool:
    if isinstance(value, str):
        return value[:4].isdecimal() and value[4:5] == "-" and int(value[:4]) < 2000
    earliest = EARLIEST_MS / 1000 if form == "epoch_s" else EARLIEST_MS
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < earliest


def _wanted(message: Message) -> list[str]:
    rules = [getattr(message, field) for field in (*_AMOUNTS, "count", "state")]
    return [path for rule in (*rules, *message.metrics.values()) if rule for path in rule.path]


def _paths(message: Message) -> list[str]:
    others = [path for rule in (message.time, message.seq, message.boot) if rule for path in rule.path]
    return [*_wanted(message), *others]


@lru_cache(maxsize=1)
def profiles() -> MappingOf[str, Profile]:
    """Every profile by name; read once.

    Raises:
        ProfileError: a file breaks the model: which file, field and rule.
    """
    found = {}
    for file in sorted(files("ingest").joinpath("profiles").iterdir(), key=lambda file: file.name):
        if file.name.endswith(".toml"):
            name = file.name.removesuffix(".toml")
            found[name] = Profile(name, load(file.name, file.read_text("utf-8")))
    return found


def load(name: str, text: str) -> Mapping:
    """A profile from the text of its file.

    Raises:
        ProfileError: which field breaks which rule.
    """
    try:
        return Mapping.model_validate(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise ProfileError(f"profile {name}: {error}") from None
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise ProfileError(f"profile {name}: {where}: {first['input']!r}: {first['msg']}") from None
