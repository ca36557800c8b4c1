"""Structural under-use: a machine that for weeks was used little, surely, and has hours that others could use."""

from typing import Final

from analytics.rules.context import RuleContext
from fleet.records import Finding

NAME: Final = "structural-underuse"


def judge(context: RuleContext, previous: Finding | None) -> Finding | None:
    """The finding now; None for machines that are not shareable."""
    raise NotImplementedError
