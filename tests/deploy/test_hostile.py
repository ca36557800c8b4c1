"""A hostile client with a valid login of its own, against the deployed broker: judged by what others receive."""

import contextlib
import socket

import pytest
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from tests.deploy.broker import DeployedBroker, Refused
from tests.patience import PATIENCE_S

pytestmark = pytest.mark.mosquitto

FILTERS = ("#", "+/#", "m/#", "m/+/#", "m/ulm/#", "spBv1.0/#", "net/v1/#", "share/v1/#", "$SYS/#", "$share/g/#",
           "$share/g/m/+/#", "$share/resilian-ingest/m/ulm/#", "$share/g/net/v1/#")  # fmt: skip
WILDCARDS = (
    b"m/dupont/#",
    b"m/ulm\n/x",
    b"m/dupont\n/x",
    b"m/dupont/\x1b[2J",
    b"m/+/x",
    b"#",
    b"m/dupont/\x00",
    b"m/\xff\xfe",
    b"",
    b"$share/g/m/ulm/x",
)
FOREIGN = ("m/ulm/tour/reading", "m//ulm/x", "M/ulm/x", "m/dupontx/x", "m/dupont2/x", "/m/dupont/x",
           "spBv1.0/STATE/resilian", "spBv1.0/ulm/NBIRTH/n", "net/v1/command/ingest",
           "net/v1/health/ingest", "net/v1/unclaimed/dupont", "share/v1/x", "$SYS/broker/log/N",
           "$share/g/m/ulm/x", "$CONTROL/dynamic-security/v1")  # fmt: skip


@pytest.mark.parametrize("v3", [False, True])
def test_no_filter_delivers_anything_nor_takes_it_from_the_collector(broker: DeployedBroker, v3: bool) -> None:
    """A shared subscription that the broker grants must not take the collector's messages away either."""
    ingest = broker.client("ingest")
    ingest.subscribe("m/+/#", "spBv1.0/+/#")
    hostile = broker.client("dupont.prise-1", v3=v3)
    for one in FILTERS:
        hostile.subscribe(one)
    ulm, gateway = broker.client("ulm.tour"), broker.client("gateway")
    for number in range(40):
        ulm.publish(f"m/ulm/tour/{number}", retain=not number % 10)
    gateway.publish("net/v1/health/gateway", b"{}", retain=True)
    gateway.publish("share/v1/alpha/x")
    hostile.publish("m/dupont/end")
    assert ingest.until("m/dupont/end") == [*(f"m/ulm/tour/{number}" for number in range(40)), "m/dupont/end"]
    hostile.subscribe("m/ulm/+/+")  # whatever was on its way has been heard by the time of this answer
    assert hostile.heard == []
    for probe in (hostile, ulm, gateway, ingest):
        probe.close()


@pytest.mark.parametrize(("retain", "v3"), [(False, True), (True, True), (True, False)])
def test_nothing_arrives_on_a_foreign_topic_now_or_later(broker: DeployedBroker, retain: bool, v3: bool) -> None:
    ears = [broker.client("operator"), broker.client("ingest")]
    for ear in ears:
        ear.subscribe("#")
        ear.subscribe("m/#", "spBv1.0/#", "net/v1/#")
    hostile = broker.client("dupont.prise-1", v3=v3)
    answers = {str(hostile.publish(topic, b"forged", retain=retain)) for topic in FOREIGN}
    assert answers == {"Success" if v3 else "Not authorized"}  # MQTT 3.1.1 cannot say no
    hostile.publish("m/dupont/end")
    for ear in ears:
        forged = [topic for topic in ear.until("m/dupont/end") if topic in FOREIGN]
        assert forged == []
    late = broker.client("analytics")
    late.subscribe("net/v1/#")
    ears[0].subscribe("m/+/#", "spBv1.0/#")  # retained messages would come again with the subscription
    assert [body for _, body in late.heard + ears[0].heard if body == b"forged"] == []
    for probe in (*ears, hostile, late):
        probe.close()


@pytest.mark.parametrize("v3", [False, True])
def test_no_will_is_published_on_a_foreign_topic(broker: DeployedBroker, v3: bool) -> None:
    ear = broker.client("operator")
    ear.subscribe("m/#", "spBv1.0/#", "net/v1/#")
    for number, topic in enumerate(FOREIGN):
        with contextlib.suppress(Refused):
            broker.client("dupont.prise-1", will=(topic, b"forged"), v3=v3).vanish()
        own = broker.client("dupont.automate", will=(f"m/dupont/last/{number}", b"bye"))
        own.vanish()  # the broker publishes wills in the order in which connections broke
        ear.until(f"m/dupont/last/{number}")
    assert [topic for topic, _ in ear.heard] == [f"m/dupont/last/{number}" for number in range(len(FOREIGN))]
    ear.close()


def test_what_no_client_library_would_send_ends_its_sender_alone(broker: DeployedBroker) -> None:
    ear, ulm = broker.client("operator"), broker.client("ulm.tour")
    ear.subscribe("m/#", "spBv1.0/#", "net/v1/#")
    for number, topic in enumerate(WILDCARDS):
        with socket.create_connection(("127.0.0.1", broker.port), timeout=PATIENCE_S) as raw:
            raw.sendall(_connect("x", "dupont.prise-1", broker.passwords["dupont.prise-1"]))
            assert raw.recv(4) == b"\x20\x02\x00\x00"
            body = len(topic).to_bytes(2, "big") + topic + b"\x00\x01forged"
            raw.sendall(bytes([0x32, len(body)]) + body)
            assert _answer(raw) in (b"", b"\x40\x02\x00\x01")  # ended, or told "success" as MQTT 3.1.1 does
        ulm.publish(f"m/ulm/{number}")
        ear.until(f"m/ulm/{number}")
    assert [topic for topic, _ in ear.heard] == [f"m/ulm/{number}" for number in range(len(WILDCARDS))]
    for probe in (ear, ulm):
        probe.close()


def test_a_line_break_in_a_client_id_or_login_gets_nobody_in(broker: DeployedBroker) -> None:
    password = broker.passwords["dupont.prise-1"]
    for client_id, login in (("ingest\nuser ingest", "dupont.prise-1"), ("x", "dupont.prise-1\nuser ingest")):
        with socket.create_connection(("127.0.0.1", broker.port), timeout=PATIENCE_S) as raw:
            raw.sendall(_connect(client_id, login, password))
            assert _answer(raw) != b"\x20\x02\x00\x00"


@pytest.mark.parametrize("v3", [False, True])
def test_no_client_id_takes_a_session_or_its_queue(broker: DeployedBroker, v3: bool) -> None:
    kept = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]  # paho leaves it bare
    kept.SessionExpiryInterval = 3600
    ingest = broker.client("ingest", client_id="resilian-ingest", clean_start=False, properties=kept)
    ingest.subscribe("m/+/#")
    ingest.vanish()
    ulm = broker.client("ulm.tour")
    for number in range(20):
        ulm.publish(f"m/ulm/{number}")
    for client_id in ("resilian-ingest", "ingest", "ulm.tour", "#", "m/+/#"):
        hostile = broker.client("dupont.prise-1", client_id=client_id, v3=v3)
        hostile.subscribe("m/#")
        assert hostile.heard == []
        hostile.close()
    ulm.publish("m/ulm/last")  # its connection still stands
    again = broker.client("ingest", client_id="resilian-ingest", clean_start=False, properties=kept)
    assert again.until("m/ulm/last") == [*(f"m/ulm/{number}" for number in range(20)), "m/ulm/last"]
    again.close()
    ulm.close()


def _answer(raw: socket.socket) -> bytes:
    """The first bytes of the broker's answer; none when it hangs up."""
    try:
        return raw.recv(4)
    except ConnectionResetError:
        return b""


def _connect(client_id: str, login: str, password: str) -> bytes:
    """An MQTT 3.1.1 CONNECT, by hand."""

    def text(value: str) -> bytes:
        return len(value).to_bytes(2, "big") + value.encode()

    body = text("MQTT") + b"\x04\xc2\x00\x3c" + text(client_id) + text(login) + text(password)
    return bytes([0x10, len(body)]) + body
