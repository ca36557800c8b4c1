"""Which machines were heard of, told once a day at 06:00: what others than the operator may know of feeds.

Live numbers would tell of machines that are shown to nobody when they are switched on and off (``docs/consent.md``).
"""

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from typing import Final

from pydantic import BaseModel, ConfigDict

from fleet.batch import MachineKey
from fleet.records import Outlook

KIND: Final = "feeds"
_BACK: Final = timedelta(hours=24)


class Feeds(BaseModel):
    """The document of kind ``feeds``: by ``member/machine``, whether a reading came in the 24 hours before."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    day: date
    heard: dict[str, bool]

    def silent(self, key: MachineKey) -> bool:
        """Whether the machine had been heard of before, and was not."""
        return self.heard.get(name_of(key)) is False

    def alive(self, key: MachineKey) -> bool:
        """Whether the machine was heard of."""
        return self.heard.get(name_of(key), False)


def name_of(key: MachineKey) -> str:
    """The machine's name in :class:`Feeds`."""
    return f"{key.member}/{key.machine}"


def renew(known: Feeds | None, outlooks: Mapping[MachineKey, Outlook], now: datetime, day: date) -> Feeds:
    """What holds on that publishing day: made once, then left alone but for machines heard of for the first time."""
    heard = {
        name_of(key): now - outlook.last_reading <= _BACK
        for key, outlook in outlooks.items()
        if outlook.last_reading is not None
    }
    if known is not None and known.day < day:
        return Feeds(day=day, heard=heard)
    kept = known.heard if known is not None else {}
    return Feeds(day=day, heard={name: True for name, alive in heard.items() if alive} | kept)
