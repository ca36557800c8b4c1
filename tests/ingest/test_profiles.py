"""Mapping profiles: the files, what is wrong with a file, and payloads as real devices sent them."""

import contextlib
import json
import os
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.decoders import Context, DecodeError, decoder
from ingest.decoders.profile import ProfileError, load, profiles

NOW = 1_795_000_000_000
RECORDINGS = Path(os.environ.get("RESILIAN_RECORDINGS") or Path(__file__).parents[3] / "shared" / "data")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('title = "x"', "source: "),
        ("title = ", "profile p.toml: "),
        ('title="x"\nsource="y"\n[[message]]\n[message.power_w]\npath="a"\nfactor=2', "message.0.power_w.factor: 2: "),
        ('title="x"\nsource="y"\n[[message]]\n[message.state]\npath="a"\nmap={ON="BUSY"}', "message.0.state.map: "),
    ],
)
def test_a_wrong_file_says_where(text: str, message: str) -> None:
    with pytest.raises(ProfileError, match=r"p\.toml") as caught:
        load("p.toml", text)
    assert message in str(caught.value)


@pytest.mark.parametrize("name", sorted(profiles()))
@given(payload=st.binary(max_size=60) | st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(st.sampled_from(["Time", "ENERGY", "Power", "Total", "params", "ts", "power", "energy", "id",
                                       "switch:0", "apower", "aenergy", "total", "last_seen", "at", "state"]), inner),
    max_leaves=10).map(lambda value: json.dumps(value).encode("utf-8", "surrogatepass")))  # fmt: skip
def test_anything_else_is_a_decode_error(name: str, payload: bytes) -> None:
    for topic in ("m/a/d/SENSOR", "m/a/d/events/rpc", "m/a/d/status/switch:0"):
        with contextlib.suppress(DecodeError):
            decoder(name)(topic, payload, Context(NOW))


@pytest.mark.recordings
def test_tasmota_recordings() -> None:
    path = RECORDINGS / "tasmota" / "captures.jsonl"
    if not path.exists():
        pytest.skip(f"no recordings in {RECORDINGS}")
    found = []
    for line in path.read_text().splitlines():
        capture = json.loads(line)
        topic = "m/acme/" + capture["topic"] if "/" in capture["topic"] else "m/acme/x/SENSOR"
        context = Context(NOW, ZoneInfo("UTC"))
        found += decoder("tasmota")(topic, json.dumps(capture["payload"]).encode(), context)
    assert [reading.power_w for reading in found] == [56, 32, 0, 860]
    assert [reading.energy_wh for reading in found] == [514153.0, 14687.92, 586.0, 7970903.0]
    assert found[0].at_ms == 1684529576000


def test_local_time_is_of_the_feeds_zone() -> None:
    payload = b'{"Time":"2026-07-01T10:00:00","ENERGY":{"Power":1}}'
    times = [
        decoder("tasmota")("m/a/d/SENSOR", payload, Context(NOW, ZoneInfo(zone)))[0].at_ms
        for zone in ("UTC", "Europe/Paris")
    ]
    assert times[0] is not None
    assert times[1] is not None
    assert times[0] - times[1] == 2 * 3_600_000
