"""What a device cannot do to the broker: packets without end, memory without end; and what the doctor says of it."""

import pytest

from accelerator.doctor_retained import retained_count, retained_steps
from bus.address import BrokerAddress
from ingest.decoders.base import MAX_PAYLOAD
from tests.deploy.broker import DeployedBroker, Probe, Refused
from tests.servers import need_mosquitto

pytestmark = pytest.mark.mosquitto


def gone(probe: Probe, topic: str, payload: bytes, *, retain: bool = False) -> bool:
    """Whether the broker ended the connection of who published this, instead of acknowledging it."""
    sent = probe.client.publish(topic, payload, qos=1, retain=retain)
    return not probe.acknowledged(sent.mid)


def test_the_largest_payload_that_is_taken_fits_and_a_larger_packet_ends_its_sender_alone(
    broker: DeployedBroker,
) -> None:
    ingest, other = broker.client("ingest"), broker.client("ulm.tour")
    ingest.subscribe("m/+/#")
    device = broker.client("dupont.prise-1")
    device.publish("m/dupont/prise-1/reading", b" " * MAX_PAYLOAD)
    device.publish("m/dupont/prise-1/told", b" " * (MAX_PAYLOAD + 300_000))  # ingest keeps it among the rejects
    assert gone(device, "m/dupont/prise-1/huge", b" " * (3 * MAX_PAYLOAD))
    other.publish("m/ulm/tour/reading")
    assert ingest.until("m/ulm/tour/reading") == [
        "m/dupont/prise-1/reading", "m/dupont/prise-1/told", "m/ulm/tour/reading",
    ]  # fmt: skip
    for probe in (ingest, other):
        probe.close()


async def test_a_device_that_retains_without_end_is_refused_and_the_others_go_on(broker: DeployedBroker) -> None:
    """With a limit that a test can reach; what was acknowledged before it is kept."""
    broker.stop()
    small = DeployedBroker(need_mosquitto(), broker.state, broker.passwords, memory_limit="30000000")
    small.start()
    try:
        hoarder, ulm = small.client("dupont.prise-1"), small.client("ulm.tour")
        kept = 0
        while kept < 2000 and not gone(hoarder, f"m/dupont/x/{kept}", bytes(100_000), retain=True):
            kept += 1
        assert 100 < kept < 400  # 30 MB of 100 kB each
        ulm.publish("m/ulm/tour/reading")
        ulm.close()
        late = small.client("operator")
        late.subscribe("m/dupont/x/0")
        late.until("m/dupont/x/0")
        late.close()
        with pytest.raises(Refused):
            Probe(small.port, "dupont.prise-1", "wrong")
        operator = BrokerAddress("127.0.0.1", small.port, "operator", small.passwords["operator"])
        count = await retained_count(operator)
        assert count is not None
    finally:
        small.kill()


async def test_the_doctor_reads_the_brokers_own_count(broker: DeployedBroker) -> None:
    operator = BrokerAddress("127.0.0.1", broker.port, "operator", broker.passwords["operator"])
    assert isinstance(await retained_count(operator), int)
    device = BrokerAddress("127.0.0.1", broker.port, "ulm.tour", broker.passwords["ulm.tour"])
    assert await retained_count(device) is None


def test_far_more_than_the_machines_need_is_said() -> None:
    assert retained_steps(None, 3) == []
    assert [step.status for step in retained_steps(1150, 3)] == ["ok"]
    (step,) = retained_steps(1151, 3)
    assert step.status == "wrong"
    assert "1151 messages where 1150 are enough for 3 machines" in step.detail
    assert "--retained-only" in step.todo
