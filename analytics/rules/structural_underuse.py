"""Structural under-use: a machine that for weeks was used little, surely, and has hours that others could use.

A flag needs every condition of :data:`CONDITIONS`; the first that fails names the insufficient evidence. A machine
whose level is more probably above the threshold than below it, and did not just fall, is clear. A flag is its owner's
first: only the answer *propose* publishes it; *reserve* and *wrong* keep it, unpublished.
"""

from collections.abc import Callable
from datetime import timedelta
from typing import Any, Final

from analytics.capacity import quantile_interval
from analytics.history import monday, utc
from analytics.outlook import job_of
from analytics.rules.context import RuleContext
from analytics.rules.evidence import AHEAD_WEEKS, Evidence
from analytics.rules.frame import SURE, flagged, rounded, since
from fleet.records import Finding, FindingStatus

NAME: Final = "structural-underuse"
VERSION: Final = "2"
LEAST_WEEKS: Final = 6
COVERAGE: Final = 0.8
OFFERED_COVERAGE: Final = 0.7
LIFE_DAYS: Final = 21
WORD_DAYS: Final = 30
CHANGE_WEEKS: Final = 3
SET, HOLD, CLEAR = SURE
"""P(below the threshold) from which a flag is set, down to which it stands, and down from which a machine is clear."""


def _alive(evidence: Evidence) -> bool:
    """PRODUCING within three weeks, or the owner's word within thirty days that it works."""
    now, word = evidence.context.now, evidence.context.machine.works_confirmed
    if evidence.worked_at is not None and now.timestamp() - evidence.worked_at <= LIFE_DAYS * 86_400:
        return True
    return word is not None and timedelta(0) <= now.date() - word <= timedelta(days=WORD_DAYS)


def _fits_a_job(evidence: Evidence) -> bool:
    least = evidence.capacity
    return least is not None and least.hours >= job_of(evidence.context.machine).minimum


def _newly_low(evidence: Evidence) -> bool:
    """A level that fell below the threshold in the last weeks: what was before tells neither way."""
    weeks = evidence.changed
    shares = evidence.weekly.share[evidence.ordinary]
    return weeks is not None and weeks <= CHANGE_WEEKS and float(shares[-weeks:].mean()) < evidence.seen_threshold


TO_TELL: Final[dict[str, Callable[[Evidence], bool]]] = {
    "calendar": lambda evidence: evidence.calendar.staffed_known,
    "history": lambda evidence: len(evidence.weekly.week) >= LEAST_WEEKS,
    "life": _alive,
    "coverage": lambda evidence: evidence.coverage >= COVERAGE and evidence.offered_coverage >= OFFERED_COVERAGE,
    "state": lambda evidence: evidence.context.inferable and evidence.history.basis != "none",
    "feed": lambda evidence: evidence.context.feed_alive,
}
"""What must hold before the level of a machine can be told at all, in order."""

TO_FLAG: Final[dict[str, Callable[[Evidence], bool]]] = {
    "holidays": lambda evidence: evidence.ordinary.sum() >= LEAST_WEEKS and evidence.ordinary[-4:].sum() >= 2,
    "change": lambda evidence: evidence.changed is None or evidence.changed > CHANGE_WEEKS,
    "capacity": _fits_a_job,
}
"""What must hold besides before a low level may be called structural, in order; ``certainty`` comes last."""

CONDITIONS: Final = (*TO_TELL, *TO_FLAG, "certainty")


def judge(context: RuleContext, previous: Finding | None) -> Finding | None:
    """The finding now; None for machines that are not shareable."""
    if not context.machine.shareable:
        return None
    evidence = Evidence(context)
    failing = [name for name, holds in TO_TELL.items() if not holds(evidence)]
    if not failing and (evidence.certainty > CLEAR or _newly_low(evidence)):
        failing = [name for name, holds in TO_FLAG.items() if not holds(evidence)]
        if evidence.certainty < (HOLD if flagged(previous) else SET):
            failing.append("certainty")
        status = FindingStatus.FLAGGED
    else:
        status = FindingStatus.CLEAR
    if failing:
        status = FindingStatus.INSUFFICIENT_EVIDENCE
    return Finding(
        member=context.member.slug,
        machine=context.machine.id,
        rule=NAME,
        status=status,
        since=since(status, previous, context.now),
        reason=failing[0] if failing else _sentence(status, evidence),
        evidence=_told(evidence, failing, status),
    )


def _sentence(status: FindingStatus, evidence: Evidence) -> str:
    used = (
        f"used {evidence.level.mean:.0%} of its staffed hours over {int(evidence.ordinary.sum())} weeks; "
        f"{evidence.certainty:.0%} sure to stay below {evidence.threshold:.0%} in the next {AHEAD_WEEKS}"
    )
    least = evidence.capacity
    if status is FindingStatus.CLEAR or least is None:
        return used
    return f"{used}; at least {least.hours:.0f} h could be shared in {least.weeks} of {least.of} weeks"


def _told(evidence: Evidence, failing: list[str], status: FindingStatus) -> dict[str, Any]:
    """Inputs, thresholds and versions; JSON values only."""
    context, weekly, answer = evidence.context, evidence.weekly, evidence.context.answer(NAME)
    level = evidence.level if evidence.calendar.staffed_known and len(weekly.week) else None
    least = evidence.capacity
    return {
        "failing": failing,
        "weeks": [
            {"monday": monday(int(week)).isoformat(), "utilisation": rounded(share), "coverage": rounded(seen)}
            for week, share, seen in zip(weekly.week, weekly.share, weekly.coverage, strict=True)
        ],
        "ordinary_weeks": int(evidence.ordinary.sum()),
        "level": rounded(level.mean) if level else None,
        "threshold": evidence.threshold,
        "unseen_setup": evidence.unseen_setup,
        "certainty": rounded(evidence.certainty) if level else None,
        "set": SET,
        "clear": HOLD,
        "ahead_weeks": AHEAD_WEEKS,
        "prior": {"mean": context.prior.mean, "between": context.prior.between, "origin": context.prior.origin},
        "coverage": rounded(evidence.coverage),
        "offered_coverage": rounded(evidence.offered_coverage),
        "offered": "stated" if evidence.calendar.offered_known else "none stated: staffed hours taken",
        "last_produced": utc(evidence.worked_at).isoformat() if evidence.worked_at is not None else None,
        "works_confirmed": context.machine.works_confirmed.isoformat() if context.machine.works_confirmed else None,
        "changed_weeks_ago": evidence.changed if level else None,
        "shareable_hours_per_week": least._asdict() if least else None,
        "shareable_interval": quantile_interval(evidence.weekly_capacity),
        "basis": evidence.history.basis,
        "model": evidence.history.model,
        "rule_version": VERSION,
        "answer": {"answer": answer.answer, "because": answer.because, "at": answer.at.isoformat()} if answer else None,
        "published": status is FindingStatus.FLAGGED and answer is not None and answer.answer == "propose",
    }
