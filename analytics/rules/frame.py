"""What the findings of all rules have in common: levels that set and clear them, since when, what is missing.

A rule measures how much there is to say as a ``score``. From ``set`` on it is flagged; once flagged it stands down to
``hold``, so that one odd week does not take it away and give it back; below ``clear`` there is nothing to say. In
between the evidence is insufficient, by the name ``certainty``.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

import numpy as np

from analytics.rules.context import RuleContext
from fleet.records import Finding, FindingStatus


class Levels(NamedTuple):
    """Scores at which a flag is set, down to which it stands, and below which a machine is clear."""

    set: float
    hold: float
    clear: float


SURE = Levels(0.95, 0.80, 0.50)
"""For scores that are probabilities."""


class Said(NamedTuple):
    """What a rule has found.

    Attributes:
        failing: names of what is missing before anything can be said, the first one counts.
        score: how much there is to say; None when it cannot be told.
        sentence: in English, on what it rests.
        evidence: inputs and figures; JSON values only.
    """

    failing: Sequence[str]
    score: float | None
    sentence: str
    evidence: dict[str, Any]


def finding(
    rule: str, version: str, said: Said, levels: Levels, context: RuleContext, previous: Finding | None
) -> Finding:
    """The finding of a rule whose flag is its owner's alone, whatever the answer."""
    failing = list(said.failing)
    status = FindingStatus.INSUFFICIENT_EVIDENCE
    if not failing and said.score is not None:
        status = status_of(said.score, levels, previous)
        if status is FindingStatus.INSUFFICIENT_EVIDENCE:
            failing = ["certainty"]
    answer = context.answer(rule)
    return Finding(
        member=context.member.slug,
        machine=context.machine.id,
        rule=rule,
        status=status,
        since=since(status, previous, context.now),
        reason=failing[0] if failing else said.sentence,
        evidence={
            "failing": failing,
            **said.evidence,
            "set": levels.set,
            "clear": levels.hold,
            "model": context.history.model,
            "rule_version": version,
            "answer": {"answer": answer.answer, "because": answer.because, "at": answer.at.isoformat()}
            if answer
            else None,
            "published": False,
        },
    )


def status_of(score: float, levels: Levels, previous: Finding | None) -> FindingStatus:
    """What the levels make of a score, given what was said before."""
    if score >= (levels.hold if flagged(previous) else levels.set):
        return FindingStatus.FLAGGED
    return FindingStatus.CLEAR if score <= levels.clear else FindingStatus.INSUFFICIENT_EVIDENCE


def flagged(previous: Finding | None) -> bool:
    """Whether a flag is in force."""
    return previous is not None and previous.status is FindingStatus.FLAGGED


def since(status: FindingStatus, previous: Finding | None, now: datetime) -> datetime:
    """Since when the status holds: it moves only when the status changes."""
    return previous.since if previous is not None and previous.status is status else now


def rounded(value: float) -> float | None:
    """For the evidence: four digits, None for what is not known."""
    return None if np.isnan(value) else round(float(value), 4)
