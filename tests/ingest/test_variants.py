"""Variants that no simulator sends: Tasmota's lists of channels, its padded text, its local time in any zone."""

import json
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.decoders import Context, decoder

TOPIC = "m/acme/plug/tele/SENSOR"
NOW = 1_798_761_600_000
ZONES = ("Europe/Paris", "UTC", "America/St_Johns", "Australia/Lord_Howe", "Africa/Casablanca", "Pacific/Apia")
INSTANTS = st.integers(946_771_200, 2_145_916_800)  # 2000-01-02 to 2038, seconds
WATTS = st.lists(st.integers(0, 5_000_000), min_size=1, max_size=8)
decode = decoder("tasmota")


def sensor(said: datetime, power: object) -> bytes:
    return json.dumps({"Time": said.strftime("%Y-%m-%dT%H:%M:%S"), "ENERGY": {"Power": power}}).encode()


@given(instant=INSTANTS, zone=st.sampled_from(ZONES), delay_ms=st.integers(0, 60_000))
def test_local_time_comes_back_when_it_comes_live(instant: int, zone: str, delay_ms: int) -> None:
    """Also in the hour that is repeated, in zones that are off by half an hour, or change by half an hour."""
    local = ZoneInfo(zone)
    payload = sensor(datetime.fromtimestamp(instant, local), 1)
    [reading] = decode(TOPIC, payload, Context(instant * 1000 + delay_ms, local))
    assert reading.at_ms == instant * 1000


@pytest.mark.parametrize("zone", ["Europe/Paris", "Australia/Lord_Howe"])
def test_every_half_hour_of_a_year_comes_back(zone: str) -> None:
    local, start = ZoneInfo(zone), int(datetime(2026, 1, 1, tzinfo=UTC).timestamp())
    for instant in range(start, start + 366 * 86_400, 1_800):
        payload = sensor(datetime.fromtimestamp(instant, local), 1)
        [reading] = decode(TOPIC, payload, Context(instant * 1000 + 500, local))
        assert reading.at_ms == instant * 1000


@given(watts=WATTS, data=st.data())
def test_lists_of_channels(watts: list[int], data: st.DataObject) -> None:
    number = data.draw(st.integers(1, len(watts)))
    payload = sensor(datetime.fromtimestamp(NOW // 1000, UTC), watts)
    assert decode(TOPIC, payload, Context(NOW, UTC, str(number)))[0].power_w == watts[number - 1]
    assert decode(TOPIC, payload, Context(NOW, UTC, "sum"))[0].power_w == sum(watts)


@given(value=st.decimals(0, 99_999, places=3), width=st.integers(1, 14))
def test_zero_padded_text_is_the_number(value: object, width: int) -> None:
    payload = sensor(datetime.fromtimestamp(NOW // 1000, UTC), str(value).zfill(width))
    assert decode(TOPIC, payload, Context(NOW))[0].power_w == float(str(value))
