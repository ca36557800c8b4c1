"""The deployed broker, judged by what is delivered: a SUBACK or PUBACK that says success proves nothing."""

import json
import shutil
import ssl
import subprocess
import sys
import time
from pathlib import Path

import pytest
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from tests.deploy.broker import DeployedBroker, Probe, Refused
from tests.deploy.conftest import ROOT, devices

pytestmark = pytest.mark.mosquitto

FOREIGN = (
    "m/ulm/x/reading",
    "m/x",
    "tele/x/SENSOR",
    "net/v1/findings/dupont/a/b",
    "spBv1.0/ulm/DDATA/n/d",
    "share/v1/x",
)


def test_a_device_reaches_the_collector_below_its_member_alone(broker: DeployedBroker) -> None:
    ingest = broker.client("ingest")
    ingest.subscribe("m/+/#", "spBv1.0/+/#", "net/v1/#")
    for v3 in (False, True):
        device = broker.client("dupont.prise-1", v3=v3)
        refused = [str(device.publish(topic)) for topic in FOREIGN]
        assert refused == (["Success"] if v3 else ["Not authorized"]) * len(FOREIGN)  # 3.1.1 cannot say no
        device.publish("spBv1.0/dupont/DDATA/n/d")
        device.publish("m/dupont/prise-1/tele/SENSOR", b"last")
        assert ingest.until("m/dupont/prise-1/tele/SENSOR") == [
            "spBv1.0/dupont/DDATA/n/d",
            "m/dupont/prise-1/tele/SENSOR",
        ]
        ingest.heard.clear()
        device.close()
    ingest.close()


def test_a_device_hears_nothing_whatever_it_subscribes(broker: DeployedBroker) -> None:
    device, ulm, gateway = broker.client("dupont.prise-1"), broker.client("ulm.tour"), broker.client("gateway")
    device.subscribe("#")
    device.subscribe("m/ulm/#", "net/v1/#", "m/dupont/#", "$SYS/#", "share/v1/#")
    ulm.publish("m/ulm/tour/reading", retain=True)
    gateway.publish("net/v1/health/gateway", retain=True)
    gateway.publish("share/v1/alpha/x", retain=True)
    device.publish("m/dupont/own")
    device.subscribe("+/+/#")
    assert device.heard == []
    for probe in (device, ulm, gateway):
        probe.close()


def test_wills_and_retained_messages_keep_to_the_member(broker: DeployedBroker) -> None:
    ingest = broker.client("ingest")
    ingest.subscribe("m/+/#", "net/v1/#")
    for topic in ("m/ulm/last", "net/v1/health/ingest"):
        try:
            broker.client("dupont.prise-1", will=(topic, b"forged")).vanish()
        except Refused:
            continue
    own = broker.client("dupont.automate", will=("m/dupont/last", b"bye"))
    own.publish("m/ulm/retained", retain=True)
    own.vanish()
    assert ingest.until("m/dupont/last") == ["m/dupont/last"]
    late = broker.client("analytics")
    late.subscribe("net/v1/#")
    ulm = broker.client("ulm.tour")
    ulm.publish("m/ulm/now")
    ingest.until("m/ulm/now")
    assert late.heard == []
    ingest.heard.clear()
    ingest.subscribe("m/ulm/#")  # a retained message would come with the subscription
    ulm.publish("m/ulm/then")
    assert set(ingest.until("m/ulm/then")) == {"m/ulm/then"}
    for probe in (ingest, late, ulm):
        probe.close()


def test_nobody_enters_without_a_login_of_his_own(broker: DeployedBroker) -> None:
    with pytest.raises(Refused):
        Probe(broker.port, None, None)
    with pytest.raises(Refused):
        Probe(broker.port, "dupont.prise-1", "wrong")
    with pytest.raises(Refused):
        Probe(broker.port, "dupont.absent", broker.passwords["dupont.prise-1"])


def test_programs_hear_what_they_need_and_no_more(broker: DeployedBroker) -> None:
    ulm, ingest = broker.client("ulm.tour"), broker.client("ingest")
    analytics, gateway = broker.client("analytics"), broker.client("gateway")
    probe = broker.client("health-analytics")
    for one in (analytics, gateway, probe):
        one.subscribe("#")
    ulm.publish("m/ulm/tour/reading")
    ingest.publish("net/v1/touched/ulm")
    ingest.publish("net/v1/health/analytics")
    assert analytics.until("net/v1/health/analytics") == ["net/v1/touched/ulm", "net/v1/health/analytics"]
    assert gateway.until("net/v1/health/analytics") == ["net/v1/touched/ulm", "net/v1/health/analytics"]
    assert probe.until("net/v1/health/analytics") == ["net/v1/health/analytics"]
    ingest.subscribe("$SYS/broker/publish/messages/dropped")
    ingest.until("$SYS/broker/publish/messages/dropped")
    for one in (ulm, ingest, analytics, gateway, probe):
        one.close()


def test_a_device_cannot_take_the_collectors_session_by_its_client_id(broker: DeployedBroker) -> None:
    """Without use_username_as_clientid the intruder would inherit, and end, the session and its queue."""
    ingest = broker.client("ingest", client_id="resilian-ingest", clean_start=False, properties=_kept())
    ingest.subscribe("m/+/#")
    ingest.vanish()
    ulm = broker.client("ulm.tour")
    for number in range(50):
        ulm.publish(f"m/ulm/{number}")
    broker.client("dupont.prise-1", client_id="resilian-ingest", clean_start=True).close()
    again = broker.client("ingest", client_id="resilian-ingest", clean_start=False, properties=_kept())
    assert again.until("m/ulm/49") == [f"m/ulm/{number}" for number in range(50)]
    again.close()
    ulm.close()


def test_more_than_the_default_queue_waits_for_an_absent_collector_at_any_qos(broker: DeployedBroker) -> None:
    ingest = broker.client("ingest", clean_start=False, properties=_kept())
    ingest.subscribe("m/+/#")
    ingest.vanish()
    ulm = broker.client("ulm.tour")
    for number in range(3000):
        ulm.client.publish(f"m/ulm/{number}", b"x", qos=number % 2)
    ulm.publish("m/ulm/last")
    again = broker.client("ingest", clean_start=False, properties=_kept())
    assert len(again.until("m/ulm/last")) == 3001
    again.close()
    ulm.close()


def test_logins_come_and_go_without_a_restart(broker: DeployedBroker) -> None:
    said = dict(line.split(" ", 1) for line in devices(broker.state, "add", "ulm", "neuf").stdout.splitlines())
    assert devices(broker.state, "remove", "dupont", "automate").returncode == 0
    ingest = broker.client("ingest")
    ingest.subscribe("m/+/#")
    broker.passwords[said["login"]] = said["password"]
    device = _once_accepted(broker, said["login"])
    device.publish("m/dupont/x")
    device.publish("m/ulm/x")
    assert ingest.until("m/ulm/x") == ["m/ulm/x"]  # by the same connection as before: nobody was disconnected
    with pytest.raises(Refused):
        broker.client("dupont.automate")
    device.close()
    ingest.close()


def test_devices_of_the_plants_come_by_tls(broker: DeployedBroker) -> None:
    program = shutil.which("openssl")
    if program is None:
        pytest.skip("openssl is not installed")
    secrets = broker.state / "mosquitto" / "secrets"
    subprocess.run(
        [program, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost", "-addext",
         "subjectAltName=IP:127.0.0.1", "-keyout", secrets / "server.key", "-out", secrets / "server.crt"],
        check=True, capture_output=True,
    )  # fmt: skip
    shutil.copy(secrets / "server.crt", secrets / "ca.crt")
    example = (ROOT / "deploy" / "mosquitto" / "tls.conf.example").read_text()
    text = example.replace("listener 8883", f"listener {broker.tls_port} 127.0.0.1")
    place = broker.state / "mosquitto" / "conf.d" / "tls.conf"
    place.write_text(text.replace("/mosquitto/secrets", str(secrets)))
    broker.stop()
    broker.start()
    trusted = ssl.create_default_context(cafile=str(secrets / "ca.crt"))
    ingest = broker.client("ingest")
    ingest.subscribe("m/+/#")
    # Its client id is the collector's login: were it not replaced by its own, it would end the collector's session.
    device = Probe(broker.tls_port, "ulm.tour", broker.passwords["ulm.tour"], tls=trusted, client_id="ingest")
    device.publish("m/ulm/secret")
    ingest.until("m/ulm/secret")
    with pytest.raises(Refused):
        Probe(broker.tls_port, None, None, tls=trusted)
    device.close()
    ingest.close()


def test_health_of_a_program_is_what_it_says_of_itself(broker: DeployedBroker, tmp_path: Path) -> None:
    def ask() -> subprocess.CompletedProcess[str]:
        url = (broker.state / "secrets" / "health-ingest").read_text().replace(":1883", f":{broker.port}")
        (tmp_path / "url").write_text(url)
        command = [sys.executable, str(ROOT / "deploy" / "health"), "ingest", str(tmp_path / "url")]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    ingest = broker.client("ingest")
    for said, status in (
        ({"program": "ingest", "alive": True, "at": time.time() * 1000}, 0),
        ({"program": "ingest", "alive": True, "at": time.time() * 1000 - 120_000}, 1),
        ({"program": "ingest", "alive": False}, 1),
    ):
        ingest.publish("net/v1/health/ingest", json.dumps(said).encode(), retain=True)
        assert ask().returncode == status
    ingest.close()
    broker.kill()
    assert ask().returncode == 3


def _kept() -> object:
    properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]  # paho leaves it bare
    properties.SessionExpiryInterval = 3600
    return properties


def _once_accepted(broker: DeployedBroker, login: str) -> Probe:
    """The broker reads its files some time after they have changed: until then it refuses."""
    deadline = time.monotonic() + 20
    while True:
        try:
            return broker.client(login)
        except Refused:
            assert time.monotonic() < deadline
