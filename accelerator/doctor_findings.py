"""What the rules have found of a machine's meter or feed, in the doctor's words: data come, and may be wrong. Pure."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from accelerator.doctor_machine import Step
from analytics.rules import degrading_coverage, moved_clamp
from fleet.batch import MachineKey
from gateway.evidence_signals import interrupted

MOVED: Final = moved_clamp.NAME
DEGRADING: Final = degrading_coverage.NAME


def finding_steps(findings: Iterable[Mapping[str, Any]]) -> dict[MachineKey, list[Step]]:
    """By machine, a step for each flag of these rules that its owner has not called wrong.

    Args:
        findings: bodies of ``fleet.records.Finding``, of any machine and rule.
    """
    found: dict[MachineKey, list[Step]] = {}
    for one in findings:
        key = MachineKey(one["member"], one["machine"])
        if one["status"] != "flagged" or _denied(one):
            continue
        if (step := _step(key, one["rule"], one["evidence"])) is not None:
            found.setdefault(key, []).append(step)
    return found


def _denied(finding: Mapping[str, Any]) -> bool:
    return (finding["evidence"].get("answer") or {}).get("answer") == "wrong"


def _step(key: MachineKey, rule: str, evidence: Mapping[str, Any]) -> Step | None:
    """None for another rule, and for evidence whose figures are not those that this program knows."""
    if rule == MOVED:
        return _moved(key, evidence.get("factor"), evidence.get("changed_in_week"))
    if rule == DEGRADING:
        return _degrading(key, evidence)
    return None


def _moved(key: MachineKey, factor: float | None, week: str | None) -> Step | None:
    if factor is None or week is None:
        return None
    words = " ".join(key)
    detail = (
        f"every level of its power is {factor:.3g} times what it was before the week of {week}: its clamp was moved, "
        "or its meter drifts"
    )
    todo = (
        "look at the clamp; when it sits right, mark `off`, `standby`, `working` again: resilian machine calibrate "
        f"{words}; if nothing moved, say so: resilian finding answer {words} {MOVED} wrong"
    )
    return Step("/".join(key), "wrong", detail, todo)


def _degrading(key: MachineKey, evidence: Mapping[str, Any]) -> Step | None:
    recently, before = evidence.get("lost_recently"), evidence.get("lost_before")
    if recently is None or before is None:
        return None
    detail = f"its feed lost {recently:.0%} of the last three weeks, {before:.0%} before{_interrupted(evidence)}"
    todo = "check its radio, its cable and its power before it falls silent; a relay in the plant bridges outages"
    return Step("/".join(key), "unknown", detail, todo)


def _interrupted(evidence: Mapping[str, Any]) -> str:
    more = interrupted(evidence)
    return "" if more is None else f"; it is interrupted {more[0]:.1f} times a week, {more[1]:.1f} before"
