"""The payload on the wire: against another implementation, there and back, and whatever bytes may come."""

import contextlib
import sys
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet.batch import MachineKey
from fleet.registry import Route, Routes
from ingest.decoders import Context, DecodeError, decoder
from ingest.sparkplug.host import Host
from ingest.sparkplug.payload import DataType, Metric, Payload, encode, parse, rebirth, type_name, value_of
from ingest.sparkplug.wire import Malformed, delimited, varint

NOW = 1_798_761_000_000
TOPICS = ("NBIRTH/line", "NDATA/line", "NDEATH/line", "DBIRTH/line/press", "DDATA/line/press", "DDEATH/line/press")
CARRIERS = {
    1: 10,
    2: 10,
    3: 10,
    4: 11,
    5: 10,
    6: 10,
    7: 10,
    8: 11,
    9: 12,
    10: 13,
    11: 14,
    12: 15,
    13: 11,
    14: 15,
    15: 15,
}

# A device's birth with one metric of each type, and a request for a rebirth, as pysparkplug 0.6.1 (Apache-2.0) encodes
# them. It cannot be a dependency of the tests: it needs paho-mqtt before 2.
EVERY_TYPE = bytes.fromhex(
    "08c0d88af4ac3412120a026938100018c0d88af4ac34200150fb0112140a03693136100118c0d88af4ac34200250fbff0312160a0369333210"
    "0218c0d88af4ac34200350fbffffff0f121b0a03693634100318c0d88af4ac34200458fbffffffffffffffff0112120a027538100418c0d88a"
    "f4ac34200550fa0112140a03753136100518c0d88af4ac34200650e8fb0312160a03753332100618c0d88af4ac34200750faffffff0f121b0a"
    "03753634100718c0d88af4ac34200858feffffffffffffffff0112130a0166100818c0d88af4ac3420096514ae474012170a0164100918c0d8"
    "8af4ac34200a699a9999999999b9bf12100a0162100a18c0d88af4ac34200b7001121a0a0173100b18c0d88af4ac34200c7a0a4578c3a96375"
    "74696f6e12110a0174100c18c0d88af4ac34200e7a017812340a0175100d18c0d88af4ac34200f7a2431323365343536372d653839622d3132"
    "64332d613435362d34323636313431373430303012160a026474100e18c0d88af4ac34200d5880a0cfada03412130a046e756c6c100f18c0d8"
    "8af4ac342003380118ff01"
)
VALUES: dict[str, Any] = {
    "i8": -5, "i16": -5, "i32": -5, "i64": -5, "u8": 250, "u16": 65000, "u32": 2**32 - 6, "u64": 2**64 - 2, "f": 3.12,
    "d": -0.1, "b": True, "s": "Exécution", "t": "x", "u": "123e4567-e89b-12d3-a456-426614174000",
    "dt": 1_795_392_000_000, "null": None,
}  # fmt: skip
THEIR_REBIRTH = "08c0d88af4ac3412210a144e6f646520436f6e74726f6c2f5265626972746818c0d88af4ac34200b7001"


def test_what_another_implementation_encodes() -> None:
    payload = parse(EVERY_TYPE)
    assert (payload.at_ms, payload.seq) == (NOW, 255)
    assert {metric.name: value_of(metric, 0) for metric in payload.metrics} == VALUES
    assert [metric.alias for metric in payload.metrics] == list(range(16))
    assert encode(payload) == EVERY_TYPE


def test_our_request_is_theirs_to_the_byte() -> None:
    assert rebirth(NOW).hex() == THEIR_REBIRTH


@pytest.mark.parametrize("raw", [251, 65_531, 2**32 - 5, 2**64 - 5])
@pytest.mark.parametrize(("datatype", "width"), [(DataType.INT8, 8), (DataType.INT16, 16), (DataType.INT32, 32)])
def test_integers_are_masked_to_their_width(raw: int, datatype: DataType, width: int) -> None:
    [metric] = parse(encode(Payload(None, None, [Metric("x", None, None, datatype, carrier=10, raw=raw)]))).metrics
    assert value_of(metric, 0) == (-5 if raw >= 2**width - 5 else raw)
    assert value_of(metric._replace(datatype=0), datatype) == value_of(metric, 0)  # the birth's type


def _metrics() -> st.SearchStrategy[Metric]:
    bits = {1: 32, 2: 32, 3: 32, 4: 64, 5: 8, 6: 16, 7: 32, 8: 64, 13: 64, 11: 1}

    def raw(datatype: int) -> st.SearchStrategy[Any]:
        if datatype in bits:
            return st.integers(0, 2 ** bits[datatype] - 1)
        width = 32 if datatype == 9 else 64
        return st.floats(allow_nan=False, width=width) if datatype in (9, 10) else st.text(max_size=20)  # type: ignore[arg-type]  # 32 or 64

    return st.sampled_from(sorted(CARRIERS)).flatmap(
        lambda datatype: st.builds(
            Metric, st.text(max_size=20), st.none() | st.integers(0, 2**64 - 1), st.none() | st.integers(1, 2**63),
            st.just(datatype), st.booleans(), st.just(False), st.just(CARRIERS[datatype]), raw(datatype),
        )
    )  # fmt: skip


@given(st.none() | st.integers(1, 2**63), st.none() | st.integers(0, 255), st.lists(_metrics(), max_size=5))
def test_there_and_back(at_ms: int | None, seq: int | None, metrics: list[Metric]) -> None:
    payload = Payload(at_ms, seq, metrics)
    assert parse(encode(payload)) == payload
    for metric in metrics:
        value_of(metric, 0)


def test_every_truncation_is_refused_or_shorter() -> None:
    whole = parse(EVERY_TYPE)
    for end in range(len(EVERY_TYPE)):
        try:
            part = parse(EVERY_TYPE[:end])
        except Malformed:
            continue
        assert part.metrics == whole.metrics[: len(part.metrics)]


_PIECES = st.lists(
    st.one_of(
        st.binary(max_size=30),
        st.sampled_from([EVERY_TYPE[:7], EVERY_TYPE[7:27], EVERY_TYPE[-30:], b"\x12\x00", b"\x12\x02\x10\x01"]),
        st.builds(varint, st.integers(0, 40), st.integers(0, 2**64 - 1)),
        st.builds(delimited, st.integers(1, 20), st.binary(max_size=20)),
        st.builds(
            lambda inner: delimited(2, b"".join(inner)),
            st.lists(st.builds(varint, st.integers(1, 20), st.integers(0, 40))),
        ),
    ),
    max_size=8,
).map(b"".join)


@given(
    st.sampled_from(TOPICS), _PIECES | st.binary(max_size=200), st.none() | st.sampled_from(["x=y", "Line", "state=f"])
)
def test_any_bytes_are_read_or_refused(tail: str, payload: bytes, channel: str | None) -> None:
    with contextlib.suppress(DecodeError):
        decoder("sparkplug")(f"spBv1.0/acme/{tail}", payload, Context(NOW, channel=channel))


@given(
    st.lists(st.tuples(st.sampled_from(TOPICS), _PIECES), max_size=6), st.none() | st.sampled_from(["x=y", "power_w=f"])
)
def test_the_host_takes_any_bytes_in_any_order(messages: list[tuple[str, bytes]], channel: str | None) -> None:
    host = Host()
    host.use(
        Routes([Route(MachineKey("acme", "a"), "spBv1.0/acme/#", "sparkplug", channel, ZoneInfo("UTC"), 1.0, 60.0)])
    )
    for tail, payload in messages:
        host.take(f"spBv1.0/acme/{tail}", payload, NOW)
        host.hand_over()


@pytest.mark.parametrize("unit", [b"\x12\x00", b"\x80", b"\x12\x02\x10\x01", b"\xa2\x06\x00", b"\x08\x01"])
def test_time_is_linear_in_size(unit: bytes) -> None:
    """Four times the bytes take four times the work, counted in calls."""

    def work(repeats: int) -> int:
        calls = 0

        def count(*_: Any) -> None:
            nonlocal calls
            calls += 1

        payload = unit * repeats
        sys.setprofile(count)
        try:
            parse(payload)
        except Malformed:
            pass
        finally:
            sys.setprofile(None)
        return calls

    assert work(4_000) <= 4 * work(1_000) + 100


@pytest.mark.parametrize(
    ("payload", "rule"),
    [
        (b"\x0b", "groups"),
        (b"\x02", "begin at 1"),
        (b"\x18\x80\x02", "0 to 255"),
        (b"\x08" + b"\xff" * 11, "64 bits"),
        (b"\x12\x05\x0a", "cut off"),
        (b"\x12\x03\x0a\x01\xff", "UTF-8"),
        (b"\x10\x01", "Sparkplug B payload"),
        (b"\x12\x02\x08\x01", "Sparkplug B metric"),
        (b"\x12\x00" * 20_001, "at most 20000 metrics"),
    ],
)
def test_what_is_no_payload(payload: bytes, rule: str) -> None:
    with pytest.raises(Malformed, match=rule):
        parse(payload)


def test_types_for_people() -> None:
    assert [type_name(number) for number in (0, 3, 16, 19, 20, 22, 99)] == [
        "no type", "Int32", "DataSet", "Template", "PropertySet", "an array", "data type 99",
    ]  # fmt: skip
