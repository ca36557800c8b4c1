"""What the rules have found of a machine's meter or feed, in the doctor's words: data come, and may be wrong. Pure."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from accelerator.doctor_machine import Step
from fleet.batch import MachineKey
from gateway.evidence_signals import interrupted

MOVED: Final = "moved-clamp"
DEGRADING: Final = "degrading-coverage"


def finding_steps(key: MachineKey, findings: Iterable[Mapping[str, Any]]) -> list[Step]:
    """A step for each flag of these rules that its owner has not called wrong.

    Args:
        findings: bodies of ``fleet.records.Finding``, of any machine and rule.
    """
    mine = [one for one in findings if (one["member"], one["machine"]) == key and one["status"] == "flagged"]
    return [step for one in mine if not _denied(one) and (step := _step(key, one["rule"], one["evidence"])) is not None]


def _denied(finding: Mapping[str, Any]) -> bool:
    return (finding["evidence"].get("answer") or {}).get("answer") == "wrong"


def _step(key: MachineKey, rule: str, evidence: Mapping[str, Any]) -> Step | None:
    name, words = "/".join(key), " ".join(key)
    if rule == MOVED:
        detail = (
            f"every level of its power is {evidence['factor']:.3g} times what it was before the week of "
            f"{evidence['changed_in_week']}: its clamp was moved, or its meter drifts"
        )
        todo = (
            "look at the clamp; when it sits right, mark `off`, `standby`, `working` again: resilian machine calibrate "
            f"{words}; if nothing moved, say so: resilian finding answer {words} {MOVED} wrong"
        )
        return Step(name, "wrong", detail, todo)
    if rule == DEGRADING:
        lost = f"its feed lost {evidence['lost_recently']:.0%} of the last three weeks, {evidence['lost_before']:.0%}"
        todo = "check its radio, its cable and its power before it falls silent; a relay in the plant bridges outages"
        return Step(name, "unknown", f"{lost} before{_interrupted(evidence)}", todo)
    return None


def _interrupted(evidence: Mapping[str, Any]) -> str:
    more = interrupted(evidence)
    return "" if more is None else f"; it is interrupted {more[0]:.1f} times a week, {more[1]:.1f} before"
