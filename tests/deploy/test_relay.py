"""Two real Mosquittos, the relay in the plant and the deployed broker: an outage of the second loses nothing."""

import os
from pathlib import Path

import pytest
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from accelerator.connecting_relay import Relay, configuration
from bus import certificates
from bus.address import BrokerAddress
from tests.accelerator.cli import MEMBER, network, resilian
from tests.deploy.broker import DeployedBroker, Probe
from tests.deploy.door import Door
from tests.servers import Server, free_port, need_mosquitto

pytestmark = pytest.mark.mosquitto


class PlantRelay(Server):
    """A Mosquitto on the file that ``resilian member relay`` writes."""

    def __init__(self, folder: Path, address: BrokerAddress) -> None:
        port = free_port()
        user = "root" if os.geteuid() == 0 else ""
        relay = Relay("dupont", address, f"{port} 127.0.0.1", f"{folder}/", "", user)
        config = folder / "relay.conf"
        config.write_text(configuration(relay))
        super().__init__([need_mosquitto(), "-c", str(config)], port, folder / "relay.log")


@pytest.mark.parametrize("killed", ["stopped", "killed"])
def test_an_outage_of_the_networks_broker_loses_nothing(broker: DeployedBroker, tmp_path: Path, killed: str) -> None:
    login = "dupont.automate"
    relay = PlantRelay(tmp_path, BrokerAddress("127.0.0.1", broker.port, login, broker.passwords[login]))
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


def test_the_command_gives_a_relay_a_certificate_of_its_own(state: Path, tmp_path: Path) -> None:
    network(state / "fleet", MEMBER)
    where, keys = {"RESILIAN_FLEET": str(state / "fleet")}, tmp_path / "keys"
    keys.mkdir()
    words = ("member", "relay", "zorn", "--broker", "mqtts://mqtt.example.org:8884", "--certificate", str(keys))
    done = resilian(*words, data=tmp_path, **where)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    crt, key = certificates.paths_of(keys, "zorn.relay")
    assert {f"bridge_certfile {crt}", f"bridge_keyfile {key}", "remote_clientid zorn.relay"} <= set(lines)
    assert not [line for line in lines if line.startswith(("remote_username", "remote_password"))]
    assert "user zorn.relay\ntopic write m/zorn/#\n" in (state / "mosquitto" / "secrets" / "acl").read_text()
    plain = resilian(*words[:3], "--broker", "mqtt://h", "--certificate", str(keys), data=tmp_path, **where)
    assert (plain.returncode, "a certificate needs TLS" in plain.stderr) == (2, True)
    named = resilian(*words[:3], "--broker", f"mqtts://h:8884?cert={crt}&key={key}", data=tmp_path, **where)
    assert f"bridge_certfile {crt}" in named.stdout.splitlines()


def test_what_a_relay_with_a_certificate_is_sent_reaches_the_collector(door: Door, tmp_path: Path) -> None:
    made = certificates.add_device(door.folder, "dupont", "relay")
    crt, key = certificates.write(made, door.keys)
    server = door.folder / "server.crt"
    relay = PlantRelay(tmp_path, BrokerAddress.parse(f"mqtts://127.0.0.1:{door.port}?ca={server}&cert={crt}&key={key}"))
    first = door.enter(door.context(crt, key))
    while (
        str(first.publish("m/dupont/relay/x")) == "Not authorized"
    ):  # until the broker has read the new login's rights
        pass
    first.close()
    ingest = door.broker.client("ingest")
    ingest.subscribe("m/+/#")
    relay.start()
    plug = Probe(relay.port, None, None, client_id="plug", v3=True)
    plug.publish("m/ulm/foreign")
    plug.publish("m/dupont/plug/power", b"12.5")
    assert ingest.until("m/dupont/plug/power") == ["m/dupont/plug/power"]
    plug.close()
    ingest.close()
    relay.kill()
