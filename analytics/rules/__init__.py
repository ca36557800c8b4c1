"""The rules: what analytics says of a machine beyond its figures. One file a rule, one line here.

A rule is a pure function of a :class:`RuleContext` and its own previous finding. It returns None for a machine that it
does not apply to.
"""

from collections.abc import Callable, Mapping
from typing import Final

from analytics.level import BUILT_IN_PRIOR, WeeklyPrior
from analytics.rules import (
    degrading_coverage,
    idle_but_drawing,
    moved_clamp,
    never_off_at_night,
    overload,
    structural_underuse,
)
from analytics.rules.context import RuleContext
from fleet.records import Finding

__all__ = ["BUILT_IN_PRIOR", "RULES", "RuleContext", "WeeklyPrior", "judge"]

Rule = Callable[[RuleContext, Finding | None], Finding | None]

RULES: Final[dict[str, Rule]] = {
    structural_underuse.NAME: structural_underuse.judge,
    idle_but_drawing.NAME: idle_but_drawing.judge,
    never_off_at_night.NAME: never_off_at_night.judge,
    overload.NAME: overload.judge,
    moved_clamp.NAME: moved_clamp.judge,
    degrading_coverage.NAME: degrading_coverage.judge,
}


def judge(context: RuleContext, previous: Mapping[str, Finding]) -> list[Finding]:
    """What every rule says of the machine now, in the order of :data:`RULES`.

    ``previous`` holds the machine's findings in force by rule name (empty when there are none); ``since`` moves only
    when a status changes. A rule of ``previous`` that is not in the answer no longer applies: withdraw its finding.
    What lacks ``state`` says in its evidence why (``untold``).
    """
    judged = (rule(context, previous.get(name)) for name, rule in RULES.items())
    return [_explained(finding, context.untold) for finding in judged if finding is not None]


def _explained(finding: Finding, untold: str) -> Finding:
    """With the reason why no state is known, where that is what is missing."""
    if not untold or "state" not in finding.evidence.get("failing", ()):
        return finding
    return finding.model_copy(update={"evidence": {**finding.evidence, "untold": untold}})
