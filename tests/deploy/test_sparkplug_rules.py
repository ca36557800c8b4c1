"""What the broker's rules let pass between Sparkplug nodes and the host application, on the deployed configuration."""

import pytest

from tests.deploy.broker import DeployedBroker

pytestmark = pytest.mark.mosquitto


def test_a_node_hears_its_commands_and_the_host_alone(broker: DeployedBroker) -> None:
    node, ingest = broker.client("dupont.prise-1"), broker.client("ingest")
    node.subscribe("spBv1.0/dupont/NCMD/n", "spBv1.0/ulm/NCMD/n", "spBv1.0/STATE/+", "STATE/+", "spBv1.0/#")
    for topic in (
        "spBv1.0/ulm/NCMD/n", "spBv1.0/dupont/NCMD/n", "spBv1.0/STATE/resilian-ingest", "STATE/resilian-ingest",
    ):  # fmt: skip
        ingest.publish(topic)
    heard = node.until("STATE/resilian-ingest")
    assert "spBv1.0/dupont/NCMD/n" in heard
    assert "spBv1.0/STATE/resilian-ingest" in heard
    assert "spBv1.0/ulm/NCMD/n" not in heard
    for probe in (node, ingest):
        probe.close()


def test_only_the_host_speaks_for_itself_and_only_commands(broker: DeployedBroker) -> None:
    node, ingest = broker.client("dupont.prise-1"), broker.client("ingest")
    refused = [str(node.publish(topic)) for topic in ("spBv1.0/STATE/resilian-ingest", "STATE/x", "spBv1.0/ulm/NCMD/n")]
    refused += [str(ingest.publish(topic)) for topic in ("spBv1.0/dupont/NDATA/n", "spBv1.0/dupont/NBIRTH/n")]
    assert refused == ["Not authorized"] * 5
    for probe in (node, ingest):
        probe.close()
