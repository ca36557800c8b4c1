"""Profiles that a fleet has of its own: found, used, followed, and said when they are wrong."""

from pathlib import Path

import pytest

from fleet.registry import load
from ingest.hot import Gathering
from ingest.own import own_decoders
from ingest.seen import Redeliveries
from ingest.spool import Work
from tests.ingest.messages import Message

NOW = 1_795_000_000_000
SAW = "m/acme/saw-plug/tele/SENSOR"
PROFILE = """
title = "Press controller"
source = "its manual"
[[message]]
body = "text"
[message.power_w]
path = "value"
units = { W = 1, kW = 1000 }
"""


def with_profile(fleet: Path, text: str, name: str = "press-9") -> Path:
    """The fleet, with this profile and acme's machines on it."""
    path = fleet / "members" / "acme.toml"
    path.write_text(path.read_text().replace('"tasmota"', f'"{name}"'))
    (fleet / "profiles").mkdir(exist_ok=True)
    (fleet / "profiles" / f"{name}.toml").write_text(text)
    return fleet


def taken(fleet: Path, payload: bytes) -> Work:
    gathering = Gathering(load(fleet), Redeliveries({}, 0))
    gathering.take([Message(SAW, payload)], 1, NOW)
    return gathering.hand_over()


@pytest.mark.parametrize(
    ("payload", "watts"), [(b"12.5 kW", 12_500.0), (b"815W", 815.0), (b" 0.25  kW ", 250.0), (b"-0 W", 0.0)]
)
def test_a_declared_unit(fleet: Path, payload: bytes, watts: float) -> None:
    work = taken(with_profile(fleet, PROFILE), payload)
    assert work.batch is not None
    assert work.batch.rows["power_w"].tolist() == [watts]


def test_the_example_of_the_manual(fleet: Path) -> None:
    manual = (Path(__file__).parents[2] / "docs" / "connecting.md").read_text()
    with_profile(fleet, manual.partition("```toml\n")[2].partition("```")[0])
    path = fleet / "members" / "acme.toml"
    path.write_text(path.read_text().replace(SAW, "m/acme/press/#"))
    gathering = Gathering(load(fleet), Redeliveries({}, 0))
    observed = b'{"dataItemId":"p2_execution","timestamp":"2026-10-20T15:30:46Z","result":"ACTIVE"}'
    gathering.take([Message("m/acme/press/puissance", b"12.5 kW"), Message("m/acme/press/x", observed)], 1, NOW)
    batch = gathering.hand_over().batch
    assert batch is not None
    assert batch.rows["power_w"].tolist()[0] == 12_500
    assert batch.rows["state"].tolist()[1] == 0


@pytest.mark.parametrize("payload", [b"12.5", b"12.5 MW", b"12.5 kw", b"1.2.3 kW", b"kW", b"NaN kW"])
def test_any_other_unit_is_refused(fleet: Path, payload: bytes) -> None:
    work = taken(with_profile(fleet, PROFILE), payload)
    assert work.batch is None
    assert work.rejects[0].faults[0].rule == "a number with one of W, kW"


def test_data_items_by_their_ids(fleet: Path) -> None:
    profile = """
title = "Twin spindle"
source = "its device model"
[[message]]
body = "mtconnect"
[message.time]
path = "@time"
form = "rfc3339"
[message.state]
path = "p2_exec"
[message.count]
path = "pc.left"
strings = true
"""
    payload = (
        b'[{"dataItemId":"exec","type":"EXECUTION","timestamp":"2026-10-20T15:30:46Z","result":"ACTIVE"},'
        b'{"dataItemId":"p2_exec","type":"EXECUTION","timestamp":"2026-10-20T15:30:46Z","result":"READY"},'
        b'{"dataItemId":"pc.left","type":"PART_COUNT","timestamp":"2026-10-20T15:30:46Z","result":"17"}]'
    )
    work = taken(with_profile(fleet, profile), payload)
    assert work.batch is not None
    assert work.batch.rows[["state", "counter"]].tolist() == [(2, 17)]


def test_a_profile_goes_before_the_one_of_its_name(fleet: Path) -> None:
    work = taken(with_profile(fleet, PROFILE, "tasmota"), b"3 kW")
    assert work.batch is not None
    assert not own_decoders({"canonical": PROFILE})


def test_a_wrong_profile_says_what_is_wrong(fleet: Path) -> None:
    fault = taken(with_profile(fleet, PROFILE.replace("units", "unit")), b"3 kW").rejects[0].faults[0]
    assert fault[:3] == ("format", "format", "press-9")
    assert "press-9.toml: message.0.power_w.unit" in fault.rule


def test_a_profile_that_is_no_toml_leaves_the_last_one_in_force(fleet: Path) -> None:
    first = load(with_profile(fleet, PROFILE))
    assert not first.problems
    (fleet / "profiles" / "press-9.toml").write_text("title = ")
    second = load(fleet, first)
    assert [problem.file for problem in second.problems] == ["profiles/press-9.toml"]
    assert second.profiles == first.profiles
    assert second.digest == first.digest


def test_a_change_of_a_profile_changes_the_digest(fleet: Path) -> None:
    bare = load(fleet).digest
    first = load(with_profile(fleet, PROFILE)).digest
    (fleet / "profiles" / "press-9.toml").write_text(PROFILE.replace("1000", "1"))
    assert len({bare, first, load(fleet).digest}) == 3
