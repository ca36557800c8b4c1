"""A device becomes a machine in one command, and gets its login in another; by the real programs."""

import json
import re
import stat
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from accelerator import owner
from tests.accelerator.cli import answer, network, resilian, start
from tests.patience import PATIENCE_S


@pytest.fixture
def up(tmp_path: Path) -> Iterator[Path]:
    """The data folder of a running `resilian up`."""
    data = tmp_path / "data"
    network(data / "fleet")
    log = tmp_path / "up.log"
    program = start("up", "--port", "0", data=data, log=log, RESILIAN_DEVICE_PORT="0")
    deadline = time.monotonic() + PATIENCE_S
    while owner.find(data / "run.json") is None:
        assert program.poll() is None, log.read_text()[-2000:]
        assert time.monotonic() < deadline, log.read_text()[-2000:]
    yield data
    program.terminate()
    assert program.wait(timeout=PATIENCE_S) == 0, log.read_text()[-2000:]


def send(data: Path, *messages: tuple[str, bytes]) -> None:
    """Publish as a device does; returns when the broker has acknowledged everything."""
    running = owner.find(data / "run.json")
    assert running is not None
    client = paho.Client(CallbackAPIVersion.VERSION2, protocol=paho.MQTTv5)
    client.connect("127.0.0.1", int(running.broker.rpartition(":")[2]))
    client.loop_start()
    for topic, payload in messages:
        client.publish(topic, payload, qos=1).wait_for_publish(PATIENCE_S)
    client.disconnect()
    client.loop_stop()


def sensor(power: float) -> bytes:
    now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    return json.dumps({"Time": now, "ENERGY": {"Total": 3.185, "Power": power}}).encode()


def test_an_unclaimed_device_becomes_a_machine_with_what_it_had_sent(up: Path) -> None:
    topic = "m/zorn/booth1/tele/SENSOR"
    deadline = time.monotonic() + PATIENCE_S
    listed: list[dict[str, Any]] = []
    while topic not in [row["topic"] for row in listed]:  # until the collector listens, nobody keeps what is sent
        assert time.monotonic() < deadline, listed
        send(up, (topic, sensor(3000)), ("m/zorn/booth1/tele/LWT", b"Online"))
        listed = answer("machine", "unclaimed", "--member", "zorn", data=up)
    row = next(row for row in listed if row["topic"] == topic)
    assert (row["format"], row["trade"], row["power_w"]) == ("tasmota", "paint", 3000)

    nobody = resilian("machine", "add", "zorn", "--from-unclaimed", data=up)
    assert (nobody.returncode, "add --yes" in nobody.stderr) == (2, True), nobody.stderr
    done = resilian("machine", "add", "zorn", "--from-unclaimed", topic, "--yes", data=up)
    assert done.returncode == 0, done.stderr
    assert "machine zorn/booth1 added; listens on m/zorn/booth1/tele/SENSOR" in done.stdout
    assert re.search(r"format tasmota \(score 0\.\d+: reads power_w, energy_wh and the time\)", done.stderr)
    assert re.search(r"trade paint \(score 0\.\d+: the topic says 'booth'", done.stderr)
    machine = answer("machine", "list", data=up)[0]
    assert (machine["machine"], machine["trade"], machine["topics"]) == ("booth1", "paint", [topic])

    exported = up / "out.csv"
    while not (exported.exists() and "3000" in exported.read_text()):  # what was sent before the claim is in the store
        assert time.monotonic() < deadline
        assert resilian("export", str(exported), data=up).returncode == 0
    again = resilian("machine", "add", "zorn", "--from-unclaimed", topic, "--yes", data=up)
    assert again.returncode == 1
    assert topic in again.stderr


def test_several_devices_are_not_guessed_between(up: Path) -> None:
    one, other = "m/zorn/tour/tele/SENSOR", "m/zorn/four/tele/SENSOR"
    deadline = time.monotonic() + PATIENCE_S
    while len(answer("machine", "unclaimed", data=up)) < 2:
        assert time.monotonic() < deadline
        send(up, (one, sensor(3000)), (other, sensor(30000)))
    several = resilian("machine", "add", "zorn", "--from-unclaimed", "--yes", data=up)
    assert several.returncode == 2
    assert f"{other}, {one}" in several.stderr
    named = resilian("machine", "add", "zorn", "Four à pain", "--from-unclaimed", other, "--yes", data=up)
    assert named.returncode == 0, named.stderr
    assert "machine zorn/four-a-pain added" in named.stdout


def test_how_messages_are_read_is_corrected_in_one_command(tmp_path: Path) -> None:
    data = tmp_path / "data"
    network(data / "fleet")
    resilian("machine", "add", "zorn", "Tour", "--topic", "m/zorn/t/SENSOR", "--format", "tasmota", data=data)
    done = resilian("machine", "feed", "zorn", "tour", "--scale-w", "1000", data=data)
    assert done.returncode == 0, done.stderr
    assert "scale_w = 1000" in (data / "fleet" / "members" / "zorn.toml").read_text()
    assert resilian("machine", "feed", "zorn", "tour", data=data).returncode == 2
    assert resilian("machine", "add", "zorn", data=data).returncode == 2


FIELDS = {
    "tasmota": {"Full Topic": "m/zorn/%topic%/%prefix%/", "Topic": "cabine-1", "User": "zorn.cabine-1"},
    "shelly-gen2": {"MQTT Prefix": "m/zorn/cabine-1", "Server": "mqtt.example.org:8883", "Username": "zorn.cabine-1"},
    "zigbee2mqtt": {"mqtt.base_topic": "m/zorn/cabine-1", "mqtt.server": "mqtts://mqtt.example.org:8883"},
    "canonical": {"Topic": "m/zorn/cabine-1/reading", "TLS": "on", "Client id": "zorn.cabine-1"},
    "generic": {"Topic": "m/zorn/cabine-1", "Port": "8883"},
    "sparkplug": {"Group ID": "zorn", "Edge Node ID": "cabine-1"},
}


@pytest.mark.parametrize("family", FIELDS)
def test_a_login_comes_with_the_fields_of_its_family(family: str, tmp_path: Path) -> None:
    data, secrets = tmp_path / "state", tmp_path / "state" / "mosquitto" / "secrets"
    network(data / "fleet")
    secrets.mkdir(parents=True)
    words = ("device", "add", "zorn", "cabine-1", "--family", family, "--broker", "mqtts://mqtt.example.org")
    made = answer(*words, data=data)
    fields = {field["field"]: field["type"] for field in made["fields"]}
    assert FIELDS[family].items() <= fields.items()
    assert made["password"] in fields.values()
    assert len(made["password"]) >= 22  # of 64 letters: 128 bits and more
    assert "user zorn.cabine-1\ntopic write m/zorn/#\ntopic write spBv1.0/zorn/#\n" in (secrets / "acl").read_text()
    kept = (secrets / "passwd").read_text()
    assert made["password"] not in kept
    assert stat.S_IMODE((secrets / "passwd").stat().st_mode) == 0o600
    assert [row["login"] for row in answer("device", "list", data=data)] == ["zorn.cabine-1"]
    assert answer("device", "list", "--member", "ulm", data=data) == []
    twice = resilian(*words, data=data)
    assert (twice.returncode, (secrets / "passwd").read_text()) == (1, kept)
    assert resilian("device", "remove", "zorn", "cabine-1", data=data).returncode == 0
    assert resilian("device", "remove", "zorn", "cabine-1", data=data).returncode == 1
    assert answer("device", "list", data=data) == []


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("zorn", "a/#"), 2, "a-z, 0-9"),
        (("zorn", "x\nuser y"), 2, "a-z, 0-9"),
        (("ulm", "x"), 2, "no such member"),
        (("zorn", "x", "--family", "abacus"), 2, "tasmota"),
    ],
)
def test_names_that_could_mean_more_are_refused_without_a_trace(
    words: tuple[str, ...], code: int, said: str, tmp_path: Path
) -> None:
    data, secrets = tmp_path / "state", tmp_path / "state" / "mosquitto" / "secrets"
    network(data / "fleet")
    secrets.mkdir(parents=True)
    done = resilian("device", "add", *words, "--broker", "mqtt://b", data=data)
    assert (done.returncode, said in done.stderr) == (code, True), done.stderr
    assert list(secrets.iterdir()) == []


def test_without_the_brokers_files_it_says_what_to_do(tmp_path: Path) -> None:
    network(tmp_path / "fleet")
    done = resilian("device", "list", data=tmp_path)
    assert (done.returncode, "--logins" in done.stderr) == (3, True)
