"""Each link of the path broken once, with real programs: the doctor's sentence names it."""

import json
import math
import re
import subprocess
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.accelerator.cli import network, resilian, start
from tests.deploy.broker import DeployedBroker
from tests.deploy.conftest import devices, secrets
from tests.patience import PATIENCE_S
from tests.servers import InfluxServer, need_mosquitto

pytestmark = [pytest.mark.mosquitto, pytest.mark.influxd, pytest.mark.faults]

SPEAKING = {"cabine-1": 30_000, "clamp": 3_800}
"""Watts of the machines that go on speaking while the doctor is asked."""
TOPIC = "m/zorn/cabine-1/reading"
ONE = '[[machines]]\nid = "{}"\nname = "{}"\nevery = 60\nrated_w = 45_000\n'
MEMBER = 'slug = "zorn"\nname = "Zorn"\nplace = { commune = "Brumath" }\n' + "".join(
    ONE.format(name, name)
    for name in ("cabine-1", "mute", "silent", "late", "ahead", "kilo", "nan", "rare", "gaps", "holes", "clamp")
)


class World:
    """The deployed broker, an InfluxDB, collector and worker; and the doctor that looks at them."""

    def __init__(self, broker: DeployedBroker, influxd: InfluxServer, state: Path) -> None:
        self.broker, self.influxd, self.state = broker, influxd, state
        place = influxd.organisation()
        self.store = {"RESILIAN_STORE": place.url, "RESILIAN_STORE_TOKEN": place.token}
        self.programs: dict[str, subprocess.Popen[bytes]] = {}
        self.device = broker.client("zorn.cabine-1")
        self.sentences: dict[str, str] = {}

    def tells(self, link: str, sentence: str) -> str:
        """Keep a sentence for the table that is printed: one line, that ends in what to do."""
        assert "\n" not in sentence
        assert re.search(r"[.?] Do this: ", sentence)
        assert sentence.endswith(".")
        self.sentences[link] = sentence
        return sentence

    def settings(self, login: str, password: str = "") -> dict[str, str]:
        secret = password or self.broker.passwords[login]
        url = f"mqtt://{login}:{secret}@127.0.0.1:{self.broker.port}"
        return {"RESILIAN_BROKER": url, "RESILIAN_FLEET": str(self.state / "fleet"), **self.store}

    def start(self, name: str) -> None:
        folder = self.state / name
        self.programs[name] = start(name, data=folder, log=self.state / "programs.log", **self.settings(name))

    def end(self, name: str) -> None:
        program = self.programs.pop(name)
        program.kill()
        program.wait()

    def doctor(
        self, *words: str, machine: str = "cabine-1", password: str = "", login: str = "operator", **more: str
    ) -> str:
        """The last line: the one sentence."""
        more = self.settings(login, password) | more
        done = resilian("doctor", "--member", "zorn", "--machine", machine, *words, data=self.state / "data", **more)
        assert "Traceback" not in done.stderr
        return done.stdout.strip().splitlines()[-1]

    def until(self, said: str, machine: str = "cabine-1") -> str:
        """Ask until the doctor says so: what devices sent and what programs say of themselves takes its time."""
        deadline = time.monotonic() + PATIENCE_S
        while said not in (found := self.doctor(machine=machine)):
            if machine in SPEAKING:
                self.send(machine, power_w=SPEAKING[machine])
            assert time.monotonic() < deadline, found + (self.state / "programs.log").read_text()[-2000:]
        return found

    def send(self, machine: str = "cabine-1", **fields: Any) -> None:
        body = {"at": round(time.time() * 1000), "power_w": 30_000, **fields}
        self.device.publish(f"m/zorn/{machine}/reading", json.dumps(body).encode())

    def history(self, machine: str, times: Iterable[int]) -> None:
        """What the device kept: readings of the past, in one message."""
        body = [{"at": at, "power_w": 30_000} for at in times]
        self.device.publish(f"m/zorn/{machine}/reading", json.dumps(body).encode())


@pytest.fixture
def world(own_influxd: InfluxServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Iterator[World]:
    """Everything runs, and a reading of cabine-1 has come through. At the end the sentences are printed."""
    program = need_mosquitto()
    state = tmp_path / "state"
    secrets(state)
    network(state / "fleet", MEMBER)
    said = dict(line.split(" ", 1) for line in devices(state, "add", "zorn", "cabine-1").stdout.splitlines())
    broker = DeployedBroker(program, state, {said["login"]: said["password"]})
    broker.start()
    one = World(broker, own_influxd, state)
    for name in ("ingest", "analytics"):
        one.start(name)
    deadline = time.monotonic() + PATIENCE_S
    while "All is well" not in (found := one.doctor()):
        assert time.monotonic() < deadline, found + (state / "programs.log").read_text()[-2000:]
        one.send()
    yield one
    for name in list(one.programs):
        one.end(name)
    one.device.close()
    broker.kill()
    with capsys.disabled():
        print("".join(f"\n{link}: {sentence}" for link, sentence in one.sentences.items()))  # noqa: T201 - to be read


def test_the_doctor_names_what_a_device_does_wrong(world: World) -> None:
    now = round(time.time() * 1000)
    assert world.tells("nothing comes", world.doctor(machine="mute")).startswith("zorn/mute: has never sent anything. ")
    world.send("late", at=now - 3_600_000)
    world.send("ahead", at=now + 3_600_000)
    world.send("kilo", power_w=30.2)
    world.device.publish("m/zorn/nan/reading", b'{"power_w": "NaN"}')
    world.device.publish("m/zorn/silnet/tele/SENSOR", b'{"ENERGY": {"Power": 3120, "Total": 2}}')
    world.history("rare", range(now - 7_200_000, now + 1, 1_200_000))
    world.history(
        "gaps", [*range(now - 72_000_000, now - 71_000_000, 60_000), *range(now - 1_200_000, now + 1, 60_000)]
    )
    moved_in_the_past(world, now)
    assert "clock is 1 h behind" in world.tells("clock an hour slow", world.until("its clock is", "late"))
    ahead = world.tells("clock an hour fast", world.until("refused", "ahead"))
    assert re.search(r"refused: the device's clock is 1 h ahead \(field at = \d+\)\. Do this: set the device's", ahead)
    kilo = world.tells("kW for W", world.until("kW sent for W?", "kilo"))
    assert kilo.endswith("Do this: let it send watts, or say so: resilian machine feed zorn kilo --scale-w 1000.")
    refused = world.tells("payload refused", world.until("refused", "nan"))
    assert "field power_w = NaN: it must be a number, not text" in refused
    topic = world.tells("wrong topic", world.until("speaks and belongs to no machine", "silent"))
    assert "--topic m/zorn/silnet/tele/SENSOR --format tasmota" in topic
    rare = world.tells("sends too rarely", world.until("is expected", "rare"))
    assert "it sends every 20 min, and every 1 min is expected" in rare
    for seq in (811, 815):
        world.send("holes", seq=seq, boot=now)
    holes = world.tells("readings missing", world.until("are missing", "holes"))
    assert "3 readings are missing between" in holes
    assert "(seq 812-814). Do this: let the device send again what it kept" in holes
    clamp = world.tells("a moved clamp", world.until("its clamp was moved", "clamp"))
    assert re.search(r"every level of its power is 1\.[89]\d* times what it was before the week of \d{4}-", clamp)
    assert "resilian machine calibrate zorn clamp; if nothing moved" in clamp
    gaps = world.tells("coverage", world.until("it was heard during", "gaps"))
    assert "of the last day. Do this: check its radio and power" in gaps
    walk_as_the_device(world)


def moved_in_the_past(world: World, now: int) -> None:
    """Ten weeks of a machine whose clamp reads 1.9 times as much from the sixth week on, in the order of time."""
    hour, begin = 3_600_000, now - 10 * 7 * 86_400_000
    for week in range(10):
        body = []
        for at in range(begin + week * 168 * hour, begin + (week + 1) * 168 * hour, hour // 2):
            works = at // hour % 24 in range(6, 16)
            watts = (20_000 if works else 2_000) * (1.9 if week >= 6 else 1.0) * (1 + 0.02 * math.sin(at))
            body.append({"at": at, "power_w": round(watts, 1)})
        world.device.publish("m/zorn/clamp/reading", json.dumps(body).encode())


def walk_as_the_device(world: World) -> None:
    """Its own login: password, place, rights."""
    url = f"mqtt://zorn.cabine-1:{{}}@127.0.0.1:{world.broker.port}"
    right = world.broker.passwords["zorn.cabine-1"]
    wrong = world.tells("wrong password in the device", world.doctor("--as-device", url.format("wrong")))
    assert wrong.startswith("device's credentials: ")
    assert "All is well" in world.doctor("--as-device", url.format(right))
    away = world.doctor("--as-device", url.format(right).replace(str(world.broker.port), "1"))
    assert "nothing listens there" in world.tells("device sent to a wrong port", away)
    devices(world.state, "add", "ulm", "tour")
    text = (world.state / "mosquitto" / "secrets" / "acl").read_text().replace("write m/zorn", "write m/elsewhere")
    (world.state / "mosquitto" / "secrets" / "acl").write_text(text)
    deadline = time.monotonic() + PATIENCE_S
    while "device's ACL" not in (found := world.doctor("--as-device", url.format(right))):
        assert time.monotonic() < deadline, found
    assert "may not publish to m/zorn/cabine-1/reading: nothing is delivered" in found
    world.tells("the device's rights", found)


def test_the_doctor_names_the_part_that_is_away(world: World) -> None:
    assert world.tells("wrong password of ours", world.doctor(password="wrong")).startswith("credentials: ")
    said = dict(line.split(" ", 1) for line in devices(world.state, "add", "zorn", "second").stdout.splitlines())
    world.broker.passwords[said["login"]] = said["password"]
    deadline = time.monotonic() + PATIENCE_S
    while not (rights := world.doctor(login="zorn.second")).startswith("ACL: "):  # until the broker knows it
        assert time.monotonic() < deadline, rights
    world.tells("rights of our login", rights)
    plain = f"mqtts://operator:x@127.0.0.1:{world.broker.port}"
    assert world.tells("TLS", world.doctor(RESILIAN_BROKER=plain)).startswith("TLS: ")
    world.end("ingest")
    gone = world.tells("collector away", world.until("ingest: does not run"))
    assert gone.endswith("Do this: start `resilian ingest`, or `resilian up`.")
    world.start("ingest")
    world.until("All is well")
    (world.state / "fleet" / "members" / "zorn.toml").write_text(MEMBER.replace("every = 60", "every = soon"))
    assert world.tells("registry", world.doctor()).startswith("registry: ")
    (world.state / "fleet" / "members" / "zorn.toml").write_text(MEMBER)
    world.until("All is well")
    world.influxd.kill()
    world.send()
    away = world.tells("store away", world.until("store"))
    assert "Do this: start the store" in away
    world.influxd.start()
    world.until("All is well")
    world.broker.kill()
    broken = world.tells("broker unreachable", world.doctor())
    assert broken.startswith("broker: ")
    assert "nothing listens there" in broken
