"""Devices that show a certificate, against the deployed broker: judged by what is delivered, and to whom."""

import shutil
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from accelerator.doctor_broker import device_steps
from bus import certificates, logins
from bus.address import BrokerAddress
from tests.accelerator.cli import MEMBER, answer, network, resilian
from tests.deploy.broker import ROOT, DeployedBroker, Probe
from tests.deploy.conftest import devices, secrets
from tests.servers import find_mosquitto, free_port

pytestmark = pytest.mark.mosquitto
CONNECT = b"\x10\x0d\x00\x04MQTT\x04\x02\x00\x3c\x00\x01x"
FOREIGN = ("m/ulm/tour/reading", "m/x", "net/v1/command/ingest", "net/v1/health/ingest", "spBv1.0/ulm/DDATA/n/d", "#")


class Door:
    """The broker with its listener for certificates, and the folder that its devices' keys are written to."""

    def __init__(self, broker: DeployedBroker, port: int, keys: Path) -> None:
        self.broker, self.port, self.keys = broker, port, keys
        self.folder = broker.state / "mosquitto" / "secrets"

    def issue(self, member: str, device: str, days: int = certificates.DAYS) -> ssl.SSLContext:
        """A new certificate as its device holds it."""
        made = certificates.add_device(self.folder, member, device, days)
        place = self.keys / f"{len(list(self.keys.iterdir()))}"
        place.mkdir()
        return self.context(*certificates.write(made, place))

    def context(self, certificate: Path | None = None, key: Path | None = None) -> ssl.SSLContext:
        trusted = ssl.create_default_context(cafile=str(self.folder / "server.crt"))
        if certificate is not None:
            trusted.load_cert_chain(certificate, key)
        return trusted

    def enter(self, context: ssl.SSLContext, **more: object) -> Probe:
        """A client with this certificate, which sends the collector's login and client id beside it."""
        password = self.broker.passwords["ingest"]
        return Probe(self.port, "ingest", password, tls=context, client_id="resilian-ingest", **more)  # type: ignore[arg-type]  # passed on

    def lets_in(self, context: ssl.SSLContext) -> bool:
        """Whether a connection with this certificate is answered at all."""
        try:
            with (
                socket.create_connection(("127.0.0.1", self.port), timeout=20) as plain,
                context.wrap_socket(plain, server_hostname="127.0.0.1") as raw,
            ):
                raw.sendall(CONNECT)
                return raw.recv(4)[:1] == b"\x20"
        except (ssl.SSLError, ConnectionError):
            return False


@pytest.fixture
def door(state: Path, tmp_path: Path) -> Iterator[Door]:
    program = find_mosquitto()
    if program is None or shutil.which("openssl") is None:
        pytest.skip("mosquitto or openssl is not installed; apt install mosquitto openssl")
    place, keys = state / "mosquitto" / "secrets", tmp_path / "keys"
    keys.mkdir()
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost", "-addext",
         "subjectAltName=IP:127.0.0.1", "-keyout", place / "server.key", "-out", place / "server.crt"],
        check=True, capture_output=True,
    )  # fmt: skip
    first = devices(state, "certificate", "dupont", "premier", str(tmp_path))
    assert first.returncode == 0, first.stderr
    port = free_port()
    example = (ROOT / "deploy" / "mosquitto" / "certificates.conf.example").read_text()
    assert example.count("listener 8884\n") == 1
    text = example.replace("listener 8884", f"listener {port} 127.0.0.1").replace("/mosquitto/secrets", str(place))
    (state / "mosquitto" / "conf.d" / "certificates.conf").write_text(text)
    said = dict(line.split(" ", 1) for line in devices(state, "add", "ulm", "tour").stdout.splitlines())
    broker = DeployedBroker(program, state, {said["login"]: said["password"]})
    broker.start()
    yield Door(broker, port, keys)
    broker.kill()


@pytest.mark.parametrize("v3", [False, True])
def test_the_name_in_the_certificate_is_the_login_whatever_is_sent_beside_it(door: Door, v3: bool) -> None:
    kept = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]  # paho leaves it bare
    kept.SessionExpiryInterval = 3600
    ingest = door.broker.client("ingest", client_id="resilian-ingest", clean_start=False, properties=kept)
    ingest.subscribe("m/+/#", "spBv1.0/+/#", "net/v1/#")
    context = door.context(*certificates.paths_of(door.keys.parent, "dupont.premier"))
    device, ulm = door.enter(context, v3=v3), door.broker.client("ulm.tour")
    device.subscribe("#", "m/#", "net/v1/#", "$share/g/m/#", "$SYS/#")
    ulm.publish("m/ulm/tour/reading")
    for topic in FOREIGN[:-1]:
        device.publish(topic, b"forged", retain=True)
    device.publish("m/dupont/premier/reading")
    assert ingest.until("m/dupont/premier/reading") == ["m/ulm/tour/reading", "m/dupont/premier/reading"]
    assert device.heard == []
    door.enter(
        context, v3=v3, will=("m/dupont/last", b"bye")
    ).vanish()  # one login is one connection: it ends the first
    ingest.until("m/dupont/last")
    for probe in (ulm, ingest):
        probe.close()


def test_whoever_shows_none_a_foreign_or_an_expired_one_stays_outside(door: Door, tmp_path: Path) -> None:
    assert door.lets_in(door.issue("dupont", "second"))
    assert not door.lets_in(door.context())
    assert not door.lets_in(door.issue("dupont", "old", days=-1))
    other = tmp_path / "other"
    secrets(other)  # another network's authority
    made = certificates.add_device(other / "mosquitto" / "secrets", "dupont", "second")
    assert not door.lets_in(door.context(*certificates.write(made, other)))
    own_server = door.context(door.folder / "server.crt", door.folder / "server.key")
    assert not door.lets_in(own_server)


def test_a_certificate_taken_back_is_refused_and_stays_so_when_the_name_comes_again(door: Door) -> None:
    stolen, good = door.issue("dupont", "second"), door.issue("dupont", "third")
    assert door.lets_in(stolen)
    assert devices(door.broker.state, "remove", "dupont", "second").returncode == 0
    again = door.issue("dupont", "second")
    door.broker.reload()
    deadline = time.monotonic() + 20
    while door.lets_in(stolen):
        assert time.monotonic() < deadline
    assert door.lets_in(good)
    assert door.lets_in(again)
    assert logins.devices(door.folder) == ["dupont.premier", "dupont.second", "dupont.third", "ulm.tour"]


async def test_the_doctor_walks_as_a_device_with_its_certificate(door: Door) -> None:
    certificate, key = certificates.paths_of(door.keys.parent, "dupont.premier")
    url = f"mqtts://127.0.0.1:{door.port}?ca={door.folder / 'server.crt'}&cert={certificate}&key={key}"
    own = BrokerAddress("127.0.0.1", door.broker.port, "operator", door.broker.passwords["operator"])
    for topic, name, status in (
        ("m/dupont/premier/reading", "device's login", "ok"),
        ("m/ulm/x", "device's ACL", "wrong"),
    ):
        last = (await device_steps(BrokerAddress.parse(url), own, topic))[-1]
        assert (last.name, last.status) == (name, status), last
        assert "the name in the certificate" in last.detail


def test_a_name_that_is_no_devices_gets_no_certificate(door: Door) -> None:
    for member, device in (("ingest", ""), ("dupont", "x/CN=ingest"), ("dupont", "premier"), ("ulm", "tour")):
        with pytest.raises(logins.LoginRefused):
            certificates.add_device(door.folder, member, device)
    with pytest.raises(logins.LoginRefused):
        logins.add_device(door.folder, "dupont", "premier")


def test_the_command_writes_the_two_files_once(state: Path, tmp_path: Path) -> None:
    network(state / "fleet", MEMBER)
    where, target = {"RESILIAN_FLEET": str(state / "fleet")}, tmp_path / "usb"
    target.mkdir()
    words = ("device", "add", "zorn", "cabine-1", "--broker", "mqtts://mqtt.example.org:8884", "--certificate")
    made = answer(*words, str(target), data=tmp_path, **where)
    fields = {field["field"]: field["type"] for field in made["fields"]}
    assert (fields["Client certificate"], fields["Client key"]) == (made["certificate"], made["key"])
    assert fields["Port"] == "8884"
    for name in ("certificate", "key"):
        assert Path(made[name]).stat().st_mode & 0o777 == 0o600
    kept = [path for path in state.rglob("*") if path.is_file() and Path(made["key"]).read_text() in path.read_text()]
    assert kept == []
    assert [row["shows"] for row in answer("device", "list", data=tmp_path, **where)] == ["certificate"]
    assert "user zorn.cabine-1\ntopic write m/zorn/#\n" in (state / "mosquitto" / "secrets" / "acl").read_text()
    for more, code, said in (
        ((str(target),), 2, "written over"), ((str(tmp_path / "absent"),), 2, "no folder"),
        ((str(target), "--family", "tasmota"), 2, "shows none"),
    ):  # fmt: skip
        again = resilian(*words, *more, data=tmp_path, **where)
        assert (again.returncode, said in again.stderr) == (code, True), again.stderr
    assert resilian("device", "remove", "zorn", "cabine-1", data=tmp_path, **where).returncode == 0
    assert answer("device", "list", data=tmp_path, **where) == []
