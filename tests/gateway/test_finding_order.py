"""The owner's page of a machine begins with what asks for an answer."""

from datetime import UTC, datetime

from fleet.batch import MachineKey
from fleet.network import Machine, Member, Place
from fleet.records import Finding, FindingStatus
from fleet.states import UNKNOWN
from gateway.access import OwnMachine
from gateway.pages.machine import in_order
from gateway.present import Present

NOW = datetime(2026, 11, 18, 12, tzinfo=UTC)


def finding(rule: str, status: FindingStatus) -> Finding:
    return Finding(member="m", machine="x", rule=rule, status=status, since=NOW, reason="because", evidence={})


def test_what_is_flagged_comes_before_the_rest() -> None:
    member = Member(slug="m", name="M", place=Place(commune="X"), machines=(Machine(id="x", name="X"),))
    said = [
        finding("degrading-coverage", FindingStatus.CLEAR),
        finding("moved-clamp", FindingStatus.INSUFFICIENT_EVIDENCE),
        finding("overload", FindingStatus.FLAGGED),
        finding("structural-underuse", FindingStatus.FLAGGED),
    ]
    silent = Present(UNKNOWN, None, None, silent=True, basis="none")
    own = OwnMachine(member, member.machines[0], MachineKey("m", "x"), None, {one.rule: one for one in said}, silent)
    assert in_order(own) == ["overload", "structural-underuse", "degrading-coverage", "moved-clamp"]
