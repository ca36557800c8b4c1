"""The doctor tells of a moved clamp and of a feed that degrades, by what the rules themselves say."""

import re
from typing import Any

import pytest

from accelerator.doctor import conclusion
from accelerator.doctor_findings import DEGRADING, MOVED, finding_steps
from fleet.batch import MachineKey
from fleet.records import Finding, FindingStatus
from tests.analytics import test_degrading_coverage as degrading
from tests.analytics import test_moved_clamp as clamp
from tests.analytics.machines import all_day


def body(finding: Finding | None, **changes: Any) -> dict[str, Any]:
    """What the store gives back of a finding that a rule made."""
    assert finding is not None
    assert finding.status is FindingStatus.FLAGGED
    return {**finding.model_dump(mode="json"), **changes}


def moved() -> dict[str, Any]:
    return body(clamp.finding(all_day, factor=1.9))


def key_of(said: dict[str, Any]) -> MachineKey:
    return MachineKey(said["member"], said["machine"])


def test_a_moved_clamp_is_wrong_and_says_what_to_do() -> None:
    said = moved()
    assert said["evidence"]["answer"] is None
    told = conclusion(finding_steps([said])[key_of(said)])
    assert told.startswith("/".join(key_of(said)) + ": every level of its power is 1.9")
    assert f"resilian machine calibrate {' '.join(key_of(said))}" in told
    assert f"resilian finding answer {' '.join(key_of(said))} moved-clamp wrong" in told


def test_a_feed_that_degrades_is_told_before_it_is_silent() -> None:
    said = body(degrading.finding(degrading.worse))
    told = conclusion(finding_steps([said])[key_of(said)])
    assert "% of the last three weeks, " in told
    assert re.search(r"; it is interrupted 7\.0 times a week, 0\.\d before\. Do this: check its radio", told)
    assert "before it falls silent" in told
    older = {**said, "evidence": {**said["evidence"], "interrupted_recently": None}}
    assert "interrupted" not in conclusion(finding_steps([older])[key_of(said)])


def test_what_is_clear_denied_of_another_machine_or_rule_is_not_told() -> None:
    said = moved()
    key, evidence = key_of(said), said["evidence"]
    denied = {**said, "evidence": {**evidence, "answer": {"answer": "wrong", "because": None, "at": "x"}}}
    noted = {**said, "evidence": {**evidence, "answer": {"answer": "reserve", "because": None, "at": "x"}}}
    clear = {**said, "status": "clear"}
    others = [denied, clear, {**said, "machine": "other"}, {**said, "rule": "overload"}]
    assert key not in finding_steps(others)
    assert len(finding_steps([*others, noted])[key]) == 1
    assert set(finding_steps(others)) == {MachineKey(key.member, "other")}


@pytest.mark.parametrize(
    ("rule", "figure"),
    [(MOVED, "factor"), (MOVED, "changed_in_week"), (DEGRADING, "lost_recently"), (DEGRADING, "lost_before")],
)
@pytest.mark.parametrize("absent", [True, False])
def test_a_flag_of_another_shape_stops_nothing(rule: str, figure: str, absent: bool) -> None:
    said = moved() if rule == MOVED else body(degrading.finding(degrading.worse))
    assert len(finding_steps([said])) == 1
    evidence = {key: value for key, value in said["evidence"].items() if key != figure}
    assert finding_steps([{**said, "evidence": evidence if absent else {**evidence, figure: None}}]) == {}
