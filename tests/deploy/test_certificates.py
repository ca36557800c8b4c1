"""Devices that show a certificate, against the deployed broker: judged by what is delivered, and to whom."""

import time
from pathlib import Path

import pytest
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from accelerator.doctor_broker import device_steps
from bus import certificates, logins
from bus.address import BrokerAddress
from tests.accelerator.cli import MEMBER, answer, network, resilian
from tests.deploy.conftest import devices, secrets
from tests.deploy.door import Door

pytestmark = pytest.mark.mosquitto
FOREIGN = ("m/ulm/tour/reading", "m/x", "net/v1/command/ingest", "net/v1/health/ingest", "spBv1.0/ulm/DDATA/n/d", "#")


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
