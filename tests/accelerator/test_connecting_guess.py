"""What a device is taken for, over the payloads of the formats' own cases and of usual topics."""

import json

import pytest

from accelerator.connecting_guess import Speaking, propose
from fleet.claim import machine_id
from fleet.network import Trade
from fleet.trade_guess import guess_trade
from ingest.guess import device_name, feed_topic

AT = 1_772_445_600_000
TASMOTA = {"Time": "2026-03-02T11:00:00", "ENERGY": {"Total": 3.185, "Power": 3120, "Voltage": 230}}


def speaking(topic: str, *payloads: object, step_ms: int = 60_000) -> Speaking:
    bodies = [body if isinstance(body, bytes) else json.dumps(body).encode() for body in payloads]
    samples = tuple((AT + number * step_ms, body) for number, body in enumerate(bodies))
    return Speaking(topic, samples[0][0], samples[-1][0], len(samples), samples)


def test_a_tasmota_plug_on_a_booth() -> None:
    found = propose(speaking("m/zorn/booth1/tele/SENSOR", TASMOTA, TASMOTA, TASMOTA))
    assert found is not None
    assert (found.topic, found.format, found.channel) == ("m/zorn/booth1/tele/SENSOR", "tasmota", None)
    assert (found.name, found.trade.trade, found.every, found.trade.power_w) == ("booth1", Trade.PAINT, 120, 3120)
    assert found.trade.score >= 0.5
    assert "'booth'" in found.trade.reason
    assert "reads power_w, energy_wh and the time" in found.reason


def test_three_phases_are_summed_and_the_channels_are_told() -> None:
    payload = {"Time": "2026-03-02T11:00:00", "ENERGY": {"Total": [1, 2, 3], "Power": [1000, 2000, 3000]}}
    found = propose(speaking("m/zorn/laser/tele/SENSOR", payload))
    assert found is not None
    assert (found.format, found.channel, found.trade.power_w) == ("tasmota", "sum", 6000)
    assert "channel sum of sum, 1, 2, 3" in found.reason


def test_a_shelly_is_claimed_with_all_its_topics() -> None:
    payload = {"src": "x", "dst": "m/zorn/presse/events", "method": "NotifyStatus",
               "params": {"ts": AT / 1000, "switch:0": {"id": 0, "apower": 812.4}}}  # fmt: skip
    found = propose(speaking("m/zorn/presse/events/rpc", payload))
    assert found is not None
    assert (found.topic, found.format, found.name) == ("m/zorn/presse/#", "shelly-gen2", "presse")


def test_what_cannot_be_read_is_not_guessed() -> None:
    assert propose(speaking("m/zorn/x/tele/LWT", b"Online")) is None
    assert propose(speaking("m/zorn/x", b"\xff\x00")) is None
    assert propose(speaking("m/zorn/x", {"text": "none"})) is None


@pytest.mark.parametrize(
    ("topic", "power", "trade", "said"),
    [
        ("m/zorn/plug-17", 17_000, Trade.OTHER, "nearest is paint"),
        ("m/zorn/plug-17", None, Trade.OTHER, "no power yet"),
        ("m/zorn/tour-cn-3/SENSOR", 4.2, Trade.TURNING, "'tour'"),
        ("m/zorn/hall2/Kompressor", 29_000, Trade.UTILITY, "30000 W are usual"),
        ("m/tournerie/plug", 9_000, Trade.OTHER, "no word in the topic"),
    ],
)
def test_words_tell_the_trade_and_power_alone_does_not(
    topic: str, power: float | None, trade: Trade, said: str
) -> None:
    found = guess_trade(topic, power)
    told = (found.trade, said in found.reason, found.score >= 0.5)
    assert told == (trade, True, trade is not Trade.OTHER), found


def test_names_and_feeds_follow_the_format() -> None:
    assert device_name("m/zorn/booth1/tele/SENSOR", "tasmota") == "booth1"
    assert device_name("m/zorn/cabine-1/reading", "canonical") == "cabine-1"
    assert device_name("m/zorn/zigbee/prise four", "zigbee2mqtt-plug") == "prise four"
    assert device_name("m/zorn/booth1/power", "generic") == "booth1"
    assert feed_topic("m/zorn/p/status/switch:0", "shelly-gen2") == "m/zorn/p/#"
    assert feed_topic("m/zorn/zigbee/prise", "zigbee2mqtt-plug") == "m/zorn/zigbee/prise"
    assert feed_topic("spBv1.0/zorn/DBIRTH/hall-1/presse", "sparkplug") == "spBv1.0/zorn/+/hall-1/presse"
    assert machine_id("Cabine n° 1", []) == "cabine-n-1"
    assert machine_id("tour", ["tour", "tour-2"]) == "tour-3"
