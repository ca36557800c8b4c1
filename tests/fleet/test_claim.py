"""A device becomes a machine, and a machine a device again, in the registry's files."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet import claim, edit, registry
from fleet.batch import MachineKey
from fleet.claim import Proposal
from fleet.edit import EditRefused
from fleet.network import Machine
from fleet.trade_guess import guess_trade

TOPIC = "m/zorn/booth1/tele/SENSOR"
FOUND = Proposal(TOPIC, "tasmota", None, 0.7, "reads", "booth1", guess_trade(TOPIC, 3120), 120)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    registry.init(tmp_path, name="Essai", commune="Brumath", timezone="Europe/Paris")
    edit.add_member(tmp_path, {"slug": "zorn", "name": "Zorn", "place": {"commune": "Brumath"}})
    return tmp_path


def test_what_is_guessed_and_what_is_given_become_a_machine(folder: Path) -> None:
    member = registry.load(folder).members["zorn"]
    guessed = claim.claim(folder, "zorn", claim.proposed_fields(member, FOUND, None, {"trade": None}))
    assert (guessed.id, guessed.name, guessed.trade.value, guessed.every) == ("booth1", "Booth1", "paint", 120)
    given = {"trade": "laser", "rated_w": 45_000.0, "scale_w": 1000.0, "format": "generic", "channel": "2"}
    member = registry.load(folder).members["zorn"]
    fields = claim.proposed_fields(member, FOUND, None, given)
    named = claim.claim(folder, "zorn", fields)
    assert (named.id, named.name, named.trade.value, named.rated_w) == ("booth1-2", "Booth1 (2)", "laser", 45_000)
    assert named.feeds[0].model_dump(exclude_defaults=True) == {
        "topic": TOPIC, "format": "generic", "channel": "2", "scale_w": 1000.0,
    }  # fmt: skip
    with pytest.raises(ValueError, match="letter or digit"):
        claim.proposed_fields(member, FOUND, "***", {})


def test_a_released_machine_leaves_the_file_with_its_consents(folder: Path) -> None:
    member = registry.load(folder).members["zorn"]
    key = MachineKey("zorn", claim.claim(folder, "zorn", claim.proposed_fields(member, FOUND, "Cabine 1", {})).id)
    consent = {"machine": key.machine, "recipient": "members", "level": "offers", "purpose": "x", "since": "2026-03-02"}
    edit.set_consent(folder, "zorn", consent)
    claim.release(folder, key)
    left = registry.load(folder).members["zorn"]
    assert (left.machines, left.consents) == ((), ())
    with pytest.raises(EditRefused, match="no machine of this id"):
        claim.release(folder, key)


def test_the_interval_follows_the_device() -> None:
    assert claim.usual_interval(0, 120_000, 3) == 120
    assert claim.usual_interval(0, 120_000, 2) == 300
    assert claim.usual_interval(0, 100_000_000, 3) == 3600


def test_a_name_that_a_machine_has_is_refused_with_another_one(folder: Path) -> None:
    member = registry.load(folder).members["zorn"]
    claim.claim(folder, "zorn", claim.proposed_fields(member, FOUND, "Cabine d'été", {}))
    member = registry.load(folder).members["zorn"]
    for name in ("Cabine d'été", "CABINE  D ETE", "cabine-d-été"):
        with pytest.raises(EditRefused, match=r"of this name already: take .*\(2\)") as refused:
            claim.claim(folder, "zorn", claim.proposed_fields(member, FOUND, name, {}))
        assert refused.value.field == "name"
    assert claim.other_name(member.machines, "Four") == "Four"
    claim.claim(folder, "zorn", claim.proposed_fields(member, FOUND, "Cabine d'été (2)", {"channel": "2"}))
    machines = registry.load(folder).members["zorn"].machines
    assert claim.other_name(machines, "Cabine d'été") == "Cabine d'été (3)"
    assert claim.named(machines, "机床") is None


@given(st.lists(st.text(min_size=1, max_size=200)), st.text(min_size=1, max_size=200))
def test_another_name_is_always_free_and_fits(taken: list[str], name: str) -> None:
    machines = [
        Machine(id=f"m-{number}", name=f"{one}x"[:200]) for number, one in enumerate(taken) if f"{one}x".strip()
    ]
    offered = claim.other_name(machines, name)
    assert claim.named(machines, offered) is None
    assert len(offered) <= 200
