"""The benchmark: its parts, then small runs of it with real programs."""

import asyncio
import os
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from accelerator import settings
from accelerator.bench import telegraf
from accelerator.bench.against import compare, medians, ratio
from accelerator.bench.collector import collecting
from accelerator.bench.influx import Influx
from accelerator.bench.ingest import Size, measure
from accelerator.bench.latency import latency, waited_ms
from accelerator.bench.load import Load, machine_keys, write_fleet
from accelerator.bench.processes import mosquitto
from accelerator.bench.subjects import BEST, OURS, Place
from accelerator.bench.trials import BAD, CONFLICT, Faulty, Kills, trials
from accelerator.problems import Found
from bus.client import BrokerAddress
from fleet import registry
from fleet.batch import MachineKey
from ingest.decoders import Context, DecodeError, canonical
from tests.accelerator.test_commands import one_line, resilian
from tests.patience import PATIENCE_S
from tests.servers import InfluxServer, find_telegraf

START_MS = 1_795_000_000_000
LOAD = Load(machine_keys(3, 2), START_MS, step_ms=10)


def quiet(done: int, total: int, what: str = "") -> None:
    """Nothing to show."""


# --- what is published


def test_each_machine_has_every_time_once() -> None:
    sent = {(LOAD.key(index), LOAD.at(index)) for index in range(1000)}
    assert len(sent) == 1000
    assert LOAD.newest(1000) == {key: max(at for other, at in sent if other == key) for key in LOAD.keys}
    assert LOAD.newest(2) == {LOAD.key(0): START_MS, LOAD.key(1): START_MS}


def test_messages_are_readings_of_their_machines(tmp_path: Path) -> None:
    write_fleet(tmp_path, LOAD.keys)
    routes = registry.load(tmp_path).routes()
    for index, (topic, payload) in enumerate(LOAD.messages(0, 7)):
        (reading,) = canonical.decode(topic, payload, Context(START_MS + 1000))
        assert (reading.at_ms, reading.seq) == (LOAD.at(index), index // 3)
        assert [route.key for route in routes.lookup(topic)] == [LOAD.key(index)]
        assert (topic, payload) == (LOAD.topic(index), LOAD.payload(index))


def test_every_kind_of_bad_payload_is_bad_and_nothing_else_is() -> None:
    load = Load(machine_keys(100, 5), START_MS)
    faulty = Faulty(load, 1000, BAD, from_share=0.1)
    bad = [index for index in range(1000) if faulty.wrong(index)]
    assert {index % 100 for index in bad} == set(range(len(BAD)))
    assert min(bad) == 100
    for index in range(1000):
        if index in bad:
            with pytest.raises(DecodeError):
                canonical.decode("t", faulty.payload(index), Context(START_MS + 100_000))
        else:
            assert faulty.payload(index) == load.payload(index)


# --- figures


def test_latency_is_from_handed_over_to_first_confirmed() -> None:
    handed = np.array([1, 2, 3, 4], dtype=np.int64) * 1_000_000
    load = Load(machine_keys(2, 1), START_MS)
    confirmed = np.array([[0, 0, 11_000_000], [1, 0, 12_000_000], [0, 1, 13_000_000], [0, 1, 99_000_000]])
    assert waited_ms(load, handed, confirmed).tolist() == [10.0, 10.0, 10.0]


def test_medians_and_ratio_are_of_paired_runs() -> None:
    def run(cpu: float, lost: int) -> dict[str, Any]:
        return {"cpu_us_per_message": cpu, "messages_per_s": 10 * cpu, "rss_mb": 50, "lost": lost}

    ours, theirs = [run(5, 0), run(7, 1), run(6, 1)], [run(20, 0), run(35, 0), run(20, 0)]
    assert medians(ours) == {"cpu_us_per_message": 6, "messages_per_s": 60, "rss_mb": 50, "lost": 2}
    assert ratio(ours, theirs) == 0.25


# --- settings and usage


@pytest.mark.parametrize("options", [telegraf.DEFAULT, telegraf.BEST, telegraf.UNTYPED])
def test_the_configuration_says_what_the_options_say(options: telegraf.Options) -> None:
    influx = Influx("influxdb+http://127.0.0.1:8086?org=o", "secret")
    text = telegraf.configuration(BrokerAddress.parse("mqtt://127.0.0.1:1883"), influx, "b", options)
    found = tomllib.loads(text)
    (source,), (target,) = found["inputs"]["mqtt_consumer"], found["outputs"]["influxdb_v2"]
    assert source["persistent_session"] is options.persistent_session
    assert bool(source["client_id"]) is options.persistent_session
    assert source["max_undelivered_messages"] <= found["agent"]["metric_buffer_limit"]
    assert (target["urls"], target["organization"], target["bucket"]) == (["http://127.0.0.1:8086"], "o", "b")
    assert all(("type" in field) is options.typed for field in source["json_v2"][0]["field"])


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["--faults"], 2, "--against"),
        (["--against", "telegraf"], 2, "--store influxdb+http://"),
        (["--against", "telegraf", "--latency", "5", "--store", "influxdb+http://127.0.0.1:1?org=o"], 2, "--latency"),
        (["--against", "telegraf", "--store", "influxdb+http://127.0.0.1:1?org=o"], 3, "scripts/build-telegraf"),
    ],
)
def test_what_is_missing_is_said_in_one_line(tmp_path: Path, arguments: list[str], code: int, said: str) -> None:
    done = resilian("bench", "ingest", *arguments, data=tmp_path)
    assert done.returncode == code
    assert said in one_line(done)


# --- small runs


@pytest.mark.mosquitto
async def test_a_run_stores_all_and_leaves_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    found = await measure(settings.load(), Size(2000, 20, 2), quiet)
    assert found["ours"]["lost"] == 0
    assert found["ours"]["cpu_us_per_message"] > 0
    assert found["ours"]["messages_per_s"] > 0
    assert list(found["ours"]["rss_mb_at"]) == ["10", "50", "100"]
    assert (found["messages"], found["members"], found["store"]) == (2000, 2, "duckdb")
    assert os.listdir(tmp_path) == []  # noqa: PTH208 - a list, at once


@pytest.mark.mosquitto
async def test_latency_is_told_of_every_message() -> None:
    found = await latency(settings.load(), Size(1000, 20, 2), 1000, quiet)
    assert found["latency"]["lost"] == 0
    assert 0 < found["latency"]["p50_ms"] <= found["latency"]["p99_ms"] <= found["latency"]["p100_ms"]


@pytest.mark.mosquitto
async def test_a_collector_that_ends_is_said_at_once(tmp_path: Path) -> None:
    load = Load(machine_keys(2, 1), START_MS)
    async with (
        mosquitto(tmp_path) as address,
        collecting(tmp_path, address, load, f"duckdb:///{tmp_path / 'store.duckdb'}", None) as collector,
    ):
        await collector.program.kill()
        async with asyncio.timeout(PATIENCE_S):
            with pytest.raises(Found, match="ended with exit code -9"):
                await collector.stored(1)


@pytest.fixture
def place(influxd: InfluxServer) -> Place:
    """An InfluxDB and Telegraf."""
    program = find_telegraf()
    if program is None:
        pytest.skip("telegraf is not built; needs Go: scripts/build-telegraf")
    there = influxd.organisation()
    return Place(there.url, there.token, program)


@pytest.mark.influxd
@pytest.mark.mosquitto
async def test_beside_telegraf_both_store_all_and_leave_no_bucket(place: Place) -> None:
    found = await compare(place, Size(2000, 20, 2), 1, quiet, {OURS: None, BEST: telegraf.BEST})
    for name in (OURS, BEST):
        assert found[name]["lost"] == 0
        assert found[name]["cpu_us_per_message"] > 0
    assert found["ratio_cpu"] == round(found[OURS]["cpu_us_per_message"] / found[BEST]["cpu_us_per_message"], 3)
    assert await place.influx.buckets() <= {"network.derived", "_monitoring", "_tasks"}


@pytest.mark.influxd
@pytest.mark.mosquitto
@pytest.mark.faults
async def test_beside_telegraf_ours_loses_nothing_and_says_why_it_refuses(place: Place) -> None:
    both = {OURS: None, BEST: telegraf.BEST}
    found = await trials(
        place, quiet, who=both, conflicted={OURS: None}, plan=Kills(1, 2.0, 500), count=3000, patience_s=8
    )
    assert found["kill"][OURS] == {"sent": 1000, "stored": 1000, "lost": 0, "stalled": False}
    assert found["kill"][BEST]["stored"] == 1000  # what the trial itself loses, both would lose
    for name, kinds in (("bad_payloads", BAD), ("type_conflict", CONFLICT), ("type_conflict_first", CONFLICT)):
        outcome = found[name][OURS]
        assert outcome["good"]["lost"] == 0
        assert set(outcome["bad"]) == set(kinds)
        for kind in outcome["bad"].values():
            assert kind["sent"] > 0
            assert (kind["kept_with_reason"], kind["vanished"]) == (kind["sent"], 0)
    assert found["bad_payloads"][BEST]["bad"]["not JSON"]["vanished"] > 0  # the trial tells what is lost


def test_a_machine_of_the_load_is_numbered_by_its_name() -> None:
    assert [int(key.machine.rpartition("-")[2]) for key in machine_keys(3, 2)] == [0, 1, 2]
    assert machine_keys(3, 2, "x")[2] == MachineKey("x-0", "machine-2")
