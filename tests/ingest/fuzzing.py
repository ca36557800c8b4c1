"""What the fuzzers share: payloads that are nearly right, what a decoder may do with them, and how they grow.

The seeds of a format are the payloads of its cases. A mutation is a pure function of a random generator, so a payload
that was found wrong is found again by its seed.
"""

import json
import math
import random
import sys
from collections.abc import Callable, Iterator
from functools import lru_cache
from types import FrameType
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from fleet.batch import NO_INT, Reading
from fleet.states import NO_STATE, STATES
from ingest.decoders import Context, DecodeError, decoder
from ingest.decoders.base import SHOWN
from ingest.decoders.times import EARLIEST_MS, FUTURE_MS
from tests.ingest.casefiles import CASES

NOW = 1_798_761_600_000
_TOKENS = (
    b"NaN", b"Infinity", b"-1e999", b"1e999", b"null", b"true", b"{", b"}", b"[", b"]", b'"', b"\\", b"|", b",", b":",
    b"\n", b"\0", b"\xff", b"\xed\xa0\x80", b"\\ud800", b"-", b"0", b"9" * 400, b"18446744073709551616", b"UNAVAILABLE",
    b"kW", b".", b"@", b"*", b"\x1f\x8b", b"1e-400", b"2026-02-30T25:61:61Z", b"0001-01-01T00:00:00+23:59", b"   ",
)  # fmt: skip
_VALUES: tuple[Any, ...] = (
    None, True, False, 0, -1, 1.5, -0.0, 1e308, 2**63, -(2**63), 10**30, "", "0012", "UNAVAILABLE", "ON", "1e5", [], {},
    [1, 2], [[]], {"value": 1}, {"Value": {"Value": {"Value": 1}}}, {"Type": 1, "Body": [1]}, {"Code": -1}, "Bad",
    "a_1", "9" * 5_000, "\U0001f600", "2026-03-02T10:15:00Z", "2026-03-02T10:15:00", 4_000_000_000, 1_772_446_500_123,
)  # fmt: skip


class Seed(NamedTuple):
    """A payload that a case of the format has, its topic and what its feed says."""

    topic: str
    payload: bytes
    channel: str | None


@lru_cache
def seeds(name: str) -> tuple[Seed, ...]:
    """The cases of a format."""
    found = []
    for path in sorted(CASES.glob(f"{name}/*/payload")):
        context = path.with_name("context.json")
        channel = json.loads(context.read_text()).get("channel") if context.exists() else None
        found.append(Seed(path.with_name("topic").read_text().strip(), path.read_bytes()[:20_000], channel))
    return tuple(found)


def mutated(name: str, rng: random.Random) -> Seed:
    """One of the seeds with some changes: of bytes, or of the values of its JSON."""
    seed, other = rng.choice(seeds(name)), rng.choice(seeds(name))
    topic = other.topic if rng.random() < 0.1 else seed.topic
    payload = seed.payload
    if rng.random() < 0.5:
        try:
            document = json.loads(payload)
            payload = json.dumps(_other_json(document, rng, 3)).encode("utf-8", "surrogatepass")
        except (ValueError, RecursionError):
            pass
    if rng.random() < 0.4:
        for _ in range(rng.randint(1, 3)):
            payload = _other_bytes(payload, other.payload, rng)
    return Seed(topic, payload, rng.choice((seed.channel, seed.channel, None, "1", "sum", "switch:0", "x")))


def _other_bytes(payload: bytes, other: bytes, rng: random.Random) -> bytes:
    start = rng.randint(0, len(payload))
    end = min(len(payload), start + rng.choice((0, 0, 1, 2, 8, 40)))
    kind = rng.randrange(5)
    if kind == 0:
        return payload[:start] + payload[end:]
    if kind == 1:
        return payload[:start] + rng.choice(_TOKENS) + payload[end:]
    if kind == 2:
        return payload[:start] + rng.randbytes(rng.randint(1, 4)) + payload[end:]
    if kind == 3:
        return payload[:end] + payload[start:end] * rng.randint(1, 20) + payload[end:]
    cut = rng.randint(0, len(other))
    return payload[:start] + other[cut:]


def _other_json(node: Any, rng: random.Random, depth: int) -> Any:
    if depth == 0 or rng.random() < 0.15 or not isinstance(node, dict | list) or not node:
        return rng.choice(_VALUES)
    if isinstance(node, list):
        at = rng.randrange(len(node))
        return [*node[:at], _other_json(node[at], rng, depth), *node[at + 1 :]]
    key = rng.choice(list(node))
    if rng.random() < 0.1:
        return {other: value for other, value in node.items() if other != key}
    return {**node, key: _other_json(node[key], rng, depth - (rng.random() < 0.1))}


def decode(name: str, seed: Seed) -> bool:
    """Decode, and check what every decoder promises; whether it read something.

    Raises:
        AssertionError: a reading or a fault that may not be; whatever else but DecodeError a decoder raises.
    """
    context = Context(NOW, ZoneInfo("Europe/Paris"), seed.channel)
    try:
        readings = decoder(name)(seed.topic, seed.payload, context)
    except DecodeError as error:
        readings = error.readings
        _check_error(error)
    for reading in readings:
        _check(reading)
    return bool(readings)


def _check_error(error: DecodeError) -> None:
    assert error.faults
    for fault in error.faults:
        assert fault.reason
        assert fault.rule
        assert len(fault.value) <= SHOWN
        json.dumps(fault).encode()
    str(error).encode("utf-8", "surrogatepass")


def _check(reading: Reading) -> None:
    assert isinstance(reading, Reading)
    assert reading.at_ms is None or EARLIEST_MS <= reading.at_ms <= NOW + FUTURE_MS
    assert reading.state == NO_STATE or 0 <= reading.state < len(STATES)
    for amount in (reading.power_w, reading.energy_wh, reading.utilisation):
        assert math.isnan(amount) or 0 <= amount <= 1e12
    for number in (reading.counter, reading.seq, reading.boot):
        assert number == NO_INT or 0 <= number < 2**63
    if reading.metrics:
        reading.metrics.encode()
        assert all(math.isfinite(value) for value in json.loads(reading.metrics).values())


def grown(name: str, size: int) -> Iterator[tuple[str, Seed]]:
    """Payloads of about ``size`` bytes, by what in them grows."""
    longest: dict[str, Seed] = {}
    for seed in seeds(name):  # one of each topic is enough
        if len(seed.payload) < 2_000 and len(seed.payload) > len(longest.get(seed.topic, Seed("", b"", None)).payload):
            longest[seed.topic] = seed
    for topic, (_, payload, channel) in list(longest.items())[:4]:
        times = max(1, size // max(1, len(payload) + 1))
        key = b",".join(b'"k%d":%d' % (number, number) for number in range(size // 12))
        bodies: dict[str, bytes] = {
            "array": b"[" + b",".join([payload] * times) + b"]",
            "lines": b"\n".join([payload] * times),
            "fields": b"|".join([payload] * times),
            "keys": payload.rstrip()[:-1] + b"," + key + b"}" if payload.rstrip().endswith(b"}") else b"{" + key + b"}",
            "text": b"1" * size,
            "blanks": b" " * size + payload,
            "nested": b"[" * (size // 2) + b"]" * (size // 2),
        }
        bodies |= {f"list {number}": body for number, body in enumerate(_longer_lists(payload, size))}
        for what, body in bodies.items():
            yield f"{what} on {topic}", Seed(topic, body, channel)


def _longer_lists(payload: bytes, size: int) -> Iterator[bytes]:
    """The payload with one of the lists of its JSON repeated, for each of the first five."""
    try:
        document = json.loads(payload)
    except ValueError:
        return
    waiting = [document]
    lists: list[list[Any]] = []
    while waiting and len(lists) < 5:
        node = waiting.pop()
        waiting += node.values() if isinstance(node, dict) else node if isinstance(node, list) else []
        lists += [node] if isinstance(node, list) and node else []
    for found in lists:
        kept = list(found)
        times = max(1, size // len(json.dumps(kept)))
        for elements in (kept * times, [_numbered(one, number) for number in range(times) for one in kept]):
            found[:] = elements
            yield json.dumps(document).encode()
        found[:] = kept


def _numbered(node: Any, number: int) -> Any:
    """The same with ids of its own."""
    if isinstance(node, list):
        return [_numbered(one, number) for one in node]
    if not isinstance(node, dict):
        return node
    return {key: f"{one}{number}" if key.endswith("Id") else _numbered(one, number) for key, one in node.items()}


def steps(call: Callable[[], object]) -> int:
    """Lines of the decoders that a call runs: a measure of work that no other program disturbs."""
    count = 0

    def line(frame: FrameType, event: str, argument: object) -> Any:
        nonlocal count
        count += event == "line"
        return line

    def enter(frame: FrameType, event: str, argument: object) -> Any:
        return line if "ingest" in frame.f_code.co_filename else None

    before = sys.gettrace()
    sys.settrace(enter)
    try:
        call()
    finally:
        sys.settrace(before)
    return count
