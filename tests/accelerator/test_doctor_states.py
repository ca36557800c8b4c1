"""The doctor names why a state is not inferable, and what to do: a sentence for each reason there is."""

from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any, get_args

import pytest

from accelerator.doctor import conclusion, judge_machine
from accelerator.doctor_states import WHY, not_inferable
from analytics.power_rule import PowerRule, Reason
from analytics.states import Learned
from analytics.untold import Untold
from fleet.batch import MachineKey
from fleet.network import Machine

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
KEY = MachineKey("zorn", "press")


def press(**changes: Any) -> Machine:
    return Machine.model_validate({"id": "press", "name": "Presse", "every": 60, **changes})


def newest(rule: PowerRule, **changes: Any) -> dict[str, Any]:
    at = round(NOW.timestamp() * 1000) - 5000
    learned = asdict(Learned((rule,)))
    heard = {"at": at, "arrived": at, "ahead_ms": 0, "conflicts": 0, "coverage": 1.0, "median_s": 60.0}
    return {**heard, "power_max_w": 900.0, "basis": "none", "model": learned, **changes}


@pytest.mark.parametrize("reason", sorted(set(get_args(Reason)) - {"", "no-power", "few"}))
def test_each_reason_ends_in_a_sentence_to_do(reason: Reason) -> None:
    told = conclusion([judge_machine(KEY, press(), newest(PowerRule(reason=reason)), {}, NOW)])
    assert told.startswith(f"zorn/press: its state is not inferable: {WHY[reason][0]}")
    assert "resilian machine calibrate zorn press" in told


def test_every_reason_has_its_sentence() -> None:
    assert set(WHY) | {"", "no-power"} == {one for part in get_args(Untold) for one in get_args(part)}
    assert len({what for what, _ in WHY.values()}) == len(WHY)


def test_without_any_quantity_the_format_is_to_be_looked_at() -> None:
    found = not_inferable("zorn press", press(), newest(PowerRule(), power_max_w=None))
    assert found is not None
    assert "neither a state nor a counter" in found[0]
    slow = newest(PowerRule(), power_max_w=None, model=asdict(Learned(counter_slow=True)))
    still = newest(PowerRule(), power_max_w=None, model=asdict(Learned(counter_moves=False)))
    told = [not_inferable("zorn press", press(), one) for one in (slow, still)]
    assert [bool(one and words in one[0]) for one, words in zip(told, ("once an hour", "does not move"), strict=True)]


@pytest.mark.parametrize("basis", ["state", "counter", None])
def test_states_that_rest_on_better_are_no_trouble(basis: str | None) -> None:
    assert not_inferable("zorn press", press(), newest(PowerRule(reason="close"), basis=basis)) is None


def test_an_accepted_rule_and_marks_that_fit_are_no_trouble() -> None:
    rule = PowerRule(0, 900.0, 800.0, source="modes", reason="", levels_w=(5.0, 400.0, 4000.0), work_w=4000.0)
    assert not_inferable("zorn press", press(), newest(rule, basis="power")) is None
    marked = press(calibration={"working_w": 50, "standby_w": 5, "at": datetime(2026, 1, 5, tzinfo=UTC)})
    assert not_inferable("zorn press", marked, newest(PowerRule(reason="close"))) is None
    moved = PowerRule(1_770_000_000_000, 900.0, 800.0, 0.0, "modes", "", (5.0, 400.0, 4000.0), 4000.0)
    found = not_inferable("zorn press", marked, newest(moved, basis="power"))
    assert found is not None
    assert "changed since its owner marked them" in found[0]


def test_nothing_learned_yet_is_too_little() -> None:
    found = not_inferable("zorn press", press(), newest(PowerRule(), model=None))
    assert found is not None
    assert "less than a day" in found.what
    step = judge_machine(KEY, press(), newest(PowerRule(), model=None), {}, NOW)
    assert conclusion([step]) == "All is well: nothing to do."  # a day will mend it; the step says so
    assert step.detail.endswith("resilian machine calibrate zorn press")
