"""Canonical JSON: what goes in comes out, and whatever comes in, only DecodeError comes out."""

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet.batch import NO_INT, Reading
from fleet.states import NO_STATE, STATES
from ingest.decoders import Context, DecodeError, canonical, canonical_quick
from ingest.decoders.base import MAX_PAYLOAD, metrics_json
from ingest.decoders.times import EARLIEST_MS, FUTURE_MS

NOW = 1_795_000_000_000
_AMOUNT = st.floats(0, 1e12, allow_nan=False)
_COUNT = st.integers(0, 2**63 - 1)
_NAME = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
_FIELDS: dict[str, st.SearchStrategy[Any]] = {
    "state": st.sampled_from([state.value for state in STATES]),
    "utilisation": st.floats(0, 1),
    "power_w": _AMOUNT,
    "energy_wh": _AMOUNT,
    "count": _COUNT,
    "metrics": st.dictionaries(_NAME, st.floats(-1e15, 1e15), min_size=1, max_size=5),
}
_ELEMENTS = st.fixed_dictionaries(
    {}, optional={"at": st.integers(EARLIEST_MS, NOW + FUTURE_MS), "seq": _COUNT, "boot": _COUNT, **_FIELDS}
).filter(lambda element: element.keys() & _FIELDS.keys())


def expected(element: dict[str, Any]) -> Reading:
    """The reading that an element means."""
    state = element.get("state")
    return Reading(
        element.get("at"),
        NO_STATE if state is None else [one.value for one in STATES].index(state),
        element.get("utilisation", math.nan),
        element.get("power_w", math.nan),
        element.get("energy_wh", math.nan),
        element.get("count", NO_INT),
        element.get("seq", NO_INT),
        element.get("boot", NO_INT),
        metrics_json(element["metrics"]) if "metrics" in element else "",
    )


def same(one: Reading, other: Reading) -> bool:
    """Equal, NaN being equal to NaN."""
    return repr(one) == repr(other)


@given(st.lists(_ELEMENTS, min_size=1, max_size=5), st.booleans())
def test_what_is_encoded_is_decoded(elements: list[dict[str, Any]], single: bool) -> None:
    sent = elements[:1] if single else elements
    payload = json.dumps(sent[0] if single else sent).encode()
    found = canonical.decode("m/a/b/reading", payload, Context(NOW))
    assert len(found) == len(sent)
    assert all(same(reading, expected(element)) for reading, element in zip(found, sent, strict=True))


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


def whole(payload: bytes, context: Context) -> list[Reading]:
    """What the whole decoder makes of a payload that the quick one is not asked about."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(canonical_quick, "read", lambda payload, context: None)
        return canonical.decode("t", payload, context)


@given(st.lists(_ELEMENTS, min_size=1, max_size=5), st.booleans(), st.sampled_from([1.0, 1000.0]))
def test_plain_readings_are_read_quickly_and_alike(elements: list[dict[str, Any]], single: bool, scale: float) -> None:
    context = Context(NOW, scale_w=scale)
    payload = json.dumps(elements[0] if single else elements).encode()
    found = canonical_quick.read(payload, context)
    assert found is not None
    assert repr(found) == repr(whole(payload, context))


_NUMBERS = """
    0 -0 -0.0 1.0 1e3 1E+2 01 .5 1. 1e999 -1e999 NaN -Infinity 1e-400 5e-324 1e12 1.0000001e12 1000000000001 0.1
    9223372036854775807 9223372036854775808 -9223372036854775808 -9223372036854775809 18446744073709551616
    9223372036854774784 9223372036854775295 123456789012345678901234567890 1795000000000 1795000000000.0
    1795000300001 946684799999 true null [] {}
"""
_TEXTS = """
    "PRODUCING" "producing" "" "1" "\\ud800" "\\u0000" "\\uD83D\\uDE00" {"a":1} {"a":"1"} {"a":1,"a":2} {"a":NaN}
    {"a":9223372036854775807} {"a":-9223372036854775808} {"a":1e400} {"":-0}
"""
_LONG_NAMES = [f'{{"{"a" * length}":1}}' for length in (128, 129)]
_VALUES = st.sampled_from([*_NUMBERS.split(), *_TEXTS.split(), *_LONG_NAMES])
_NAMES = st.sampled_from(["at", "seq", "boot", "member", "x", *_FIELDS])


@given(st.lists(st.tuples(_NAMES, _VALUES), max_size=5), st.sampled_from(["", " ", "x"]), st.booleans())
def test_what_is_read_quickly_the_whole_decoder_reads_alike(
    pairs: list[tuple[str, str]], after: str, array: bool
) -> None:
    body = "{" + ",".join(f'"{name}":{value}' for name, value in pairs) + "}" + after
    payload = (f"[{body}]" if array else body).encode()
    found = canonical_quick.read(payload, Context(NOW))
    if found is not None:
        assert repr(found) == repr(whole(payload, Context(NOW)))


@given(st.dictionaries(_NAMES, _JSON, max_size=4))
def test_any_json_is_read_alike(element: dict[str, Any]) -> None:
    payload = json.dumps(element).encode("utf-8", "surrogatepass")
    found = canonical_quick.read(payload, Context(NOW))
    if found is not None:
        assert repr(found) == repr(whole(payload, Context(NOW)))


@given(st.lists(_ELEMENTS, min_size=1, max_size=4))
def test_a_bad_neighbour_changes_nothing(elements: list[dict[str, Any]]) -> None:
    """The careful way reads an element exactly as the fast way does, so its key is the same."""
    good = canonical.decode("t", json.dumps(elements).encode(), Context(NOW))
    with pytest.raises(DecodeError) as caught:
        canonical.decode("t", json.dumps([*elements, {"power_w": "3"}]).encode(), Context(NOW))
    assert [repr(reading) for reading in caught.value.readings] == [repr(reading) for reading in good]
    assert [fault.element for fault in caught.value.faults] == [len(elements)]


@given(
    st.binary(max_size=200) | st.text(max_size=80).map(str.encode) | st.from_regex(rb'\A[\[{]["a-z:0-9,{}\[\] .eE+-]*')
)
def test_arbitrary_bytes(payload: bytes) -> None:
    try:
        found = canonical.decode("t", payload, Context(NOW))
        faults = None
    except DecodeError as error:
        found, faults = error.readings, error.faults
    assert all(isinstance(reading, Reading) for reading in found)
    assert faults is None or (faults and all(fault.reason and fault.rule for fault in faults))


@given(st.dictionaries(st.sampled_from(["at", "seq", "boot", "x", "machine", *_FIELDS]), _JSON))
def test_any_json_in_known_fields(element: dict[str, Any]) -> None:
    payload = json.dumps(element).encode("utf-8", "surrogatepass")
    try:
        readings = canonical.decode("t", payload, Context(NOW))
    except DecodeError as error:
        readings = error.readings
    for reading in readings:
        assert reading.power_w >= 0 or math.isnan(reading.power_w)
        assert reading.counter >= 0 or reading.counter == NO_INT
        assert reading.at_ms is None or EARLIEST_MS <= reading.at_ms <= NOW + FUTURE_MS


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (b"[" * 10_000, "json"),
        (b'{"metrics":' * 10_000, "json"),
        (b'{"power_w":1,"x":"' + b"a" * 10_000_000 + b'"}', "too_large"),
        (b"[" + b"1," * (MAX_PAYLOAD // 2 - 2) + b"1]", "too_large"),
        (b'{"count":' + b"9" * 100_000 + b"}", "json"),
        (b"\x1f\x8b" + b"\0" * 100, "json"),
        (b"", "json"),
    ],
)
def test_hostile_payloads(payload: bytes, reason: str) -> None:
    with pytest.raises(DecodeError) as caught:
        canonical.decode("t", payload, Context(NOW))
    assert caught.value.faults[0].reason == reason
    assert len(caught.value.faults[0].value) <= 100


def test_names_in_the_payload_are_told_and_never_win() -> None:
    context = Context(NOW)
    canonical.decode("m/a/b/reading", b'{"power_w":1,"machine":"x","member":"y","fw":1}', context)
    assert sorted(context.notes.pop("claims")) == [("machine", "x"), ("member", "y")]
    assert context.notes == {"ignored_fields": 1}
