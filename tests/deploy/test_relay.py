"""Two real Mosquittos, the relay in the plant and the deployed broker: an outage of the second loses nothing."""

import os
from pathlib import Path

import pytest
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from accelerator.connecting_relay import Relay, configuration
from bus.address import BrokerAddress
from tests.accelerator.cli import MEMBER, network, resilian
from tests.deploy.broker import DeployedBroker, Probe
from tests.servers import Server, find_mosquitto, free_port

pytestmark = pytest.mark.mosquitto


class PlantRelay(Server):
    """A Mosquitto on the file that ``resilian member relay`` writes."""

    def __init__(self, folder: Path, broker: DeployedBroker, login: str) -> None:
        port = free_port()
        address = BrokerAddress("127.0.0.1", broker.port, login, broker.passwords[login])
        user = "root" if os.geteuid() == 0 else ""
        relay = Relay("dupont", address, f"{port} 127.0.0.1", f"{folder}/", "", user)
        config = folder / "relay.conf"
        config.write_text(configuration(relay))
        super().__init__([find_mosquitto() or "", "-c", str(config)], port, folder / "relay.log")


@pytest.mark.parametrize("killed", ["stopped", "killed"])
def test_an_outage_of_the_networks_broker_loses_nothing(broker: DeployedBroker, tmp_path: Path, killed: str) -> None:
    relay = PlantRelay(tmp_path, broker, "dupont.automate")
    relay.start()
    ingest = broker.client("ingest", clean_start=False, properties=_kept())
    ingest.subscribe("m/+/#", "spBv1.0/+/#")
    plug = Probe(relay.port, None, None, client_id="plug", v3=True)
    for number in range(100):
        plug.client.publish(f"m/dupont/plug/{number}", b"x", qos=number % 2)
    ingest.until("m/dupont/plug/99")
    plug.publish("shellies/em/emeter/0/power", b"12.5")
    ingest.until("m/dupont/em/emeter/0/power")
    ingest.close()
    broker.stop() if killed == "stopped" else broker.kill()
    for number in range(100, 2600):  # more than Mosquitto's own thousand
        plug.client.publish(f"m/dupont/plug/{number}", b"x", qos=number % 2)
    plug.publish("m/dupont/plug/last")
    plug.publish("m/ulm/foreign")
    plug.publish("net/v1/health/ingest", b"{}", retain=True)
    relay.stop()  # the plant's own server is rebooted, too
    relay.start()
    broker.start()
    again = broker.client("ingest", clean_start=False, properties=_kept())
    again.subscribe("m/+/#", "spBv1.0/+/#")
    again.subscribe("net/v1/#")
    heard = set(again.until("m/dupont/plug/last"))
    assert {f"m/dupont/plug/{number}" for number in range(100, 2600)} <= heard
    assert not [topic for topic in heard if not topic.startswith("m/dupont/")]
    plug.client.loop_stop()
    again.close()
    relay.kill()


def _kept() -> object:
    properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]  # paho leaves it bare
    properties.SessionExpiryInterval = 3600
    return properties


def test_the_command_writes_the_file_with_a_login_of_its_own(state: Path, tmp_path: Path) -> None:
    network(state / "fleet", MEMBER)
    where = {"RESILIAN_FLEET": str(state / "fleet")}
    done = resilian("member", "relay", "zorn", "--broker", "mqtts://mqtt.example.org", data=tmp_path, **where)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert {"address mqtt.example.org:8883", "remote_username zorn.relay", "cleansession false", "topic m/zorn/# out 1",
            "queue_qos0_messages true", "allow_anonymous false"} <= set(lines)  # fmt: skip
    assert "zorn.relay" in (state / "mosquitto" / "secrets" / "passwd").read_text()
    again = resilian("member", "relay", "zorn", "--broker", "mqtts://mqtt.example.org", data=tmp_path, **where)
    assert (again.returncode, again.stdout) == (1, "")
    words = ("member", "add", "Ulm", "--commune", "Ulm", "--relay", "--broker", "mqtts://u.r:p%0Aw@h")
    broken = resilian(*words, data=tmp_path, **where)
    assert (broken.returncode, "line break" in broken.stderr, "p\nw" in broken.stderr) == (2, True, False)
    known = resilian("member", "relay", "zorn", "--broker", "mqtt://zorn.x:secret@h", data=tmp_path, **where)
    assert "remote_password secret" in known.stdout.splitlines()
