"""What simulated devices say, the collector's decoders understand: the truth comes back."""

import math
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet.batch import NO_INT, Reading
from fleet.network import Feed
from fleet.states import NO_STATE, STATE_CODE, STATES
from ingest.decoders import Context, decoder
from simulators.formats import FORMATS, Format, Sample
from simulators.plant import Plant
from simulators.timeline import Timeline, counting_since
from tests.simulators.conftest import NOW, ms, one_of_each
from tests.simulators.other_formats import OTHER_FORMATS

PARIS = ZoneInfo("Europe/Paris")
WIRES = [*FORMATS.values(), *OTHER_FORMATS.values()]
AT = ms(NOW) - np.arange(0, 40 * 3_600_000, 1_777_000)
WHOLE_WATTS = {"tasmota", "zigbee2mqtt-plug"}
WHOLE_SECONDS = {"tasmota", "zigbee2mqtt-plug"}
ENERGY_STEP = {
    "tasmota": 1.0, "zigbee2mqtt-plug": 10.0, "shelly-gen2": 0.01, "shelly-gen1": 0.01, "umh": 0.1, "opcua-pubsub": 0.1,
    "victron": 0.01,
}  # fmt: skip
ANY_SAMPLE = st.builds(
    Sample,
    at_ms=st.integers(1_000_000_000_000, ms(NOW)),
    state=st.sampled_from([state.value for state in STATES]),
    power_w=st.floats(0, 5e6),
    energy_wh=st.floats(0, 1e10),
    counter=st.integers(0, 2**53),
    seq=st.none() | st.integers(0, 2**53),
    boot=st.none() | st.integers(0, 2**53),
)


def heard(wire: Format, feed: Feed, sample: Sample) -> Reading:
    """What the collector makes of one instant: the quantities of all its messages, none of them twice."""
    found: dict[str, Any] = {}
    for topic, payload in wire.encode(feed, sample, PARIS):
        context = Context(ms(NOW), PARIS, feed.channel, feed.scale_w)
        for reading in decoder(wire.name)(topic, payload, context):
            told = {name: value for name, value in reading._asdict().items() if not missing(name, value)}
            assert found.keys() & told.keys() <= {"at_ms", "metrics"}
            assert found.get("at_ms", reading.at_ms) == reading.at_ms
            found |= told
    return Reading(**{"at_ms": None, **found})


def missing(name: str, value: Any) -> bool:
    return value is None or value == Reading._field_defaults.get(name) or value != value


def check(wire: Format, sent: Sample, reading: Reading) -> None:
    at = sent.at_ms // 1000 * 1000 if wire.name in WHOLE_SECONDS else sent.at_ms
    assert reading.at_ms == (at if wire.dated else None)
    assert reading.power_w == pytest.approx(sent.power_w, abs=0.501 if wire.name in WHOLE_WATTS else 0.051)
    assert reading.state == (STATE_CODE[wire.heard(sent.state)] if wire.tells_state else NO_STATE)
    assert reading.counter == (sent.counter if wire.tells_count else NO_INT)
    if wire.tells_energy:
        assert reading.energy_wh == pytest.approx(sent.energy_wh, abs=ENERGY_STEP[wire.name])
    else:
        assert math.isnan(reading.energy_wh)


@pytest.mark.parametrize("plant", one_of_each(), ids=lambda plant: plant.kind.name)
@pytest.mark.parametrize("wire", WIRES, ids=lambda wire: wire.name)
def test_the_truth_comes_back(wire: Format, plant: Plant) -> None:
    feed = wire.feed(*plant.key)
    read = Timeline(plant, counting_since(NOW.date())).at(AT)
    for row, at in enumerate(AT.tolist()):
        state, power = int(read.state[row]), float(read.power_w[row])
        sent = Sample(at, STATES[state].value, power, float(read.energy_wh[row]), int(read.count[row]))
        check(wire, sent, heard(wire, feed, sent))


@pytest.mark.parametrize("wire", WIRES, ids=lambda wire: wire.name)
@given(sent=ANY_SAMPLE)
def test_any_sample_comes_back(wire: Format, sent: Sample) -> None:
    check(wire, sent, heard(wire, wire.feed("atelier", "presse"), sent))


def sample(power: float = 1234.5) -> Sample:
    return Sample(ms(NOW), "PRODUCING", power, 98_765.4, 77, seq=5, boot=1_700_000_000)


@pytest.mark.parametrize("wire", WIRES, ids=lambda wire: wire.name)
def test_a_feed_in_kilowatts_sends_kilowatts(wire: Format) -> None:
    feed = wire.feed("atelier", "presse").model_copy(update={"scale_w": 1000.0})
    reading = heard(wire, feed, sample(12_000.0))
    assert reading.power_w == pytest.approx(12_000.0, abs=100)


def test_devices_that_number_what_they_send() -> None:
    wire = FORMATS["canonical"]
    [(topic, payload)] = wire.encode(wire.feed("atelier", "presse"), sample(), PARIS)
    [reading] = decoder("canonical")(topic, payload, Context(ms(NOW), PARIS, None, 1.0))
    assert (reading.seq, reading.boot, reading.state) == (5, 1_700_000_000, STATE_CODE["PRODUCING"])


def test_a_single_phase_meter_publishes_its_status_without_a_time() -> None:
    wire = FORMATS["shelly-gen2"]
    feed = Feed(topic="m/atelier/shellyplus1pm-aa/#", format="shelly-gen2", channel="switch:0")
    [(topic, payload)] = wire.encode(feed, sample(), PARIS)
    assert topic == "m/atelier/shellyplus1pm-aa/status/switch:0"
    [reading] = decoder("shelly-gen2")(topic, payload, Context(ms(NOW), PARIS, "switch:0", 1.0))
    assert (reading.at_ms, reading.power_w) == (None, 1234.5)


@pytest.mark.parametrize("channel", ["1", "2", "4"])
@given(sent=ANY_SAMPLE)
def test_a_channel_of_a_device_that_measures_several(channel: str, sent: Sample) -> None:
    wire = FORMATS["tasmota"]
    feed = wire.feed("atelier", "presse").model_copy(update={"channel": channel})
    check(wire, sent, heard(wire, feed, sent))
    [(topic, payload)] = wire.encode(feed, sent, PARIS)
    [other] = decoder("tasmota")(topic, payload, Context(ms(NOW), PARIS, "2" if channel == "1" else "1"))
    assert (other.power_w, other.energy_wh) == (0, 0)
