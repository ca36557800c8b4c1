"""A need of a member, as the coordinator wrote it down: confidential to the coordinator, never printed."""

import secrets
from datetime import date, datetime
from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field

from fleet.network import Trade

KIND: Final = "need"
PREFIX: Final = "need-"
"""Documents of this kind belong to no member; their machine is ``need-<id>``."""


class Need(BaseModel):
    """The document of kind ``need``.

    Attributes:
        hours: of work in all, which several windows may add up to.
        size: of the part, metres: length, width, height, as far as known.
        before: the latest day on which the work may be done.
        km: the longest distance from ``commune``.
        closed: when the coordinator closed it; None while it is open.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    trade: Trade
    hours: Annotated[float, Field(gt=0, le=2000)]
    size: tuple[float, ...] = ()
    before: date
    commune: str = ""
    km: Annotated[float, Field(gt=0)] | None = None
    note: Annotated[str, Field(max_length=200)] = ""
    created: datetime
    closed: datetime | None = None


def new_id() -> str:
    """An id that no other need has."""
    return secrets.token_hex(6)


def is_open(need: Need, today: date) -> bool:
    """Whether it is still to be served: not closed, and its date has not passed."""
    return need.closed is None and need.before >= today
