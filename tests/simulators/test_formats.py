"""What simulated devices say, the collector's decoders understand: the truth comes back."""

import math
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from fleet.batch import NO_INT
from fleet.network import Feed
from fleet.states import NO_STATE, STATE_CODE, STATES
from ingest.decoders import Context, decoder
from simulators.formats import FORMATS, Format, Sample
from simulators.plant import Plant
from simulators.timeline import Timeline, counting_since
from tests.simulators.conftest import NOW, ms, one_of_each

PARIS = ZoneInfo("Europe/Paris")
AT = ms(NOW) - np.arange(0, 40 * 3_600_000, 1_777_000)
WHOLE_WATTS = {"tasmota", "zigbee2mqtt-plug"}
WHOLE_SECONDS = {"tasmota", "zigbee2mqtt-plug"}
ENERGY_STEP = {"tasmota": 1.0, "zigbee2mqtt-plug": 10.0, "shelly-gen2": 0.01}


@pytest.mark.parametrize("plant", one_of_each(), ids=lambda plant: plant.kind.name)
@pytest.mark.parametrize("wire", FORMATS.values(), ids=lambda wire: wire.name)
def test_the_truth_comes_back(wire: Format, plant: Plant) -> None:
    feed = wire.feed(*plant.key)
    read = Timeline(plant, counting_since(NOW.date())).at(AT)
    decode = decoder(wire.name)
    for row, at in enumerate(AT.tolist()):
        state, power = int(read.state[row]), float(read.power_w[row])
        sample = Sample(at, STATES[state].value, power, float(read.energy_wh[row]), int(read.count[row]))
        topic, payload = wire.encode(feed, sample, PARIS)
        context = Context(ms(NOW), PARIS, feed.channel, feed.scale_w)
        [reading] = decode(topic, payload, context)
        assert reading.at_ms == (at // 1000 * 1000 if wire.name in WHOLE_SECONDS else at)
        assert reading.power_w == pytest.approx(power, abs=0.501 if wire.name in WHOLE_WATTS else 0.051)
        assert reading.state == (state if wire.tells_state else NO_STATE)
        assert reading.counter == (sample.counter if wire.tells_count else NO_INT)
        if wire.tells_energy:
            assert reading.energy_wh == pytest.approx(sample.energy_wh, abs=ENERGY_STEP[wire.name])
        else:
            assert math.isnan(reading.energy_wh)


def sample(power: float = 1234.5) -> Sample:
    return Sample(ms(NOW), "PRODUCING", power, 98_765.4, 77, seq=5, boot=1_700_000_000)


@pytest.mark.parametrize("wire", FORMATS.values(), ids=lambda wire: wire.name)
def test_a_feed_in_kilowatts_sends_kilowatts(wire: Format) -> None:
    feed = wire.feed("atelier", "presse").model_copy(update={"scale_w": 1000.0})
    topic, payload = wire.encode(feed, sample(12_000.0), PARIS)
    [reading] = decoder(wire.name)(topic, payload, Context(ms(NOW), PARIS, feed.channel, feed.scale_w))
    assert reading.power_w == pytest.approx(12_000.0, abs=100)


def test_devices_that_number_what_they_send() -> None:
    wire = FORMATS["canonical"]
    topic, payload = wire.encode(wire.feed("atelier", "presse"), sample(), PARIS)
    [reading] = decoder("canonical")(topic, payload, Context(ms(NOW), PARIS, None, 1.0))
    assert (reading.seq, reading.boot, reading.state) == (5, 1_700_000_000, STATE_CODE["PRODUCING"])


def test_a_single_phase_meter_publishes_its_status_without_a_time() -> None:
    wire = FORMATS["shelly-gen2"]
    feed = Feed(topic="m/atelier/shellyplus1pm-aa/#", format="shelly-gen2", channel="switch:0")
    topic, payload = wire.encode(feed, sample(), PARIS)
    assert topic == "m/atelier/shellyplus1pm-aa/status/switch:0"
    [reading] = decoder("shelly-gen2")(topic, payload, Context(ms(NOW), PARIS, "switch:0", 1.0))
    assert (reading.at_ms, reading.power_w) == (None, 1234.5)
