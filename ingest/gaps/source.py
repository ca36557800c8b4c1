"""All lives of one device: a new ``boot`` starts afresh, a count that begins again without one is named. Pure."""

from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from ingest.gaps.life import MAX_GAPS, Gap, Life, Took

KEPT_MS: Final = 7 * 86_400_000
"""How long missing readings are awaited and told: as long as a broker keeps a session."""
MAX_LIVES: Final = 4
"""Of which late readings are awaited; a device chooses its ``boot``."""


class Restart(NamedTuple):
    """The count began again although ``boot`` says that the device did not: at what time, after and at which number."""

    at_ms: int
    top: int
    number: int


@dataclass(slots=True)
class Source:
    """What numbers its readings.

    Attributes:
        lives: by ``boot``, the one that spoke of something new last at the end.
        ended: ranges of lives whose late readings are awaited no more, with their ``boot``.
        late: numbers that came after all.
        restarts: how often the count began again within one ``boot``; ``restart`` is the last time.
        given_up: missing numbers that are not followed any more.
    """

    lives: dict[int, Life] = field(default_factory=dict)
    ended: list[tuple[int, Gap]] = field(default_factory=list)
    late: int = 0
    restarts: int = 0
    restart: Restart | None = None
    given_up: int = 0

    @property
    def boot(self) -> int | None:
        """The life that spoke of something new last."""
        return next(reversed(self.lives), None)

    def take(self, boot: int, number: int, at_ms: int, arrived_ms: int) -> Took:
        """Take one number, as :meth:`ingest.gaps.life.Life.take`."""
        life = self.lives.get(boot)
        if life is None:
            self.begin(boot, number, at_ms)
            return Took.NEXT
        took = life.take(number, at_ms, arrived_ms)
        if took is Took.LATE:
            self.late += 1
        elif took is Took.RESTART:
            self.restarts += 1
            self.restart = Restart(at_ms, life.top, number)
            self.end(boot)
            self.begin(boot, number, at_ms)
        elif took is not Took.AGAIN and next(reversed(self.lives)) != boot:
            self.lives[boot] = self.lives.pop(boot)
        return took

    def begin(self, boot: int, number: int, at_ms: int) -> None:
        """A new life."""
        self.lives[boot] = Life.begin(number, at_ms)
        while len(self.lives) > MAX_LIVES:
            self.end(next(iter(self.lives)))

    def end(self, boot: int) -> None:
        """What is missing of this life will not come any more."""
        life = self.lives.pop(boot)
        self.given_up += life.given_up
        self.ended += [(boot, gap) for gap in life.gaps]
        self._forget(self.ended[:-MAX_GAPS])

    def expire(self, now_ms: int) -> None:
        """Give up what is missing for longer than :data:`KEPT_MS`."""
        noticed_before_ms = now_ms - KEPT_MS
        self._forget([(boot, gap) for boot, gap in self.ended if gap.noticed_ms < noticed_before_ms])
        for life in self.lives.values():
            life.expire(noticed_before_ms)
        if self.restart is not None and self.restart.at_ms < noticed_before_ms:
            self.restart = None

    def gaps(self) -> list[tuple[int, Gap]]:
        """Every range with its ``boot``, in the order in which they were noticed."""
        living = [(boot, gap) for boot, life in self.lives.items() for gap in life.gaps]
        return sorted([*self.ended, *living], key=lambda found: found[1].noticed_ms)

    def _forget(self, ended: list[tuple[int, Gap]]) -> None:
        for each in ended:
            self.ended.remove(each)
            self.given_up += each[1].size

    def as_row(self) -> list[Any]:
        """JSON values."""
        lives = [[boot, life.as_row()] for boot, life in self.lives.items()]
        return [lives, self.ended, self.late, self.restarts, self.restart, self.given_up]

    @classmethod
    def of_row(cls, row: list[Any]) -> "Source":
        """The inverse of :meth:`as_row`."""
        lives, ended, late, restarts, restart, given_up = row
        return cls(
            {boot: Life.of_row(life) for boot, life in lives},
            [(boot, Gap(*gap)) for boot, gap in ended],
            late, restarts, Restart(*restart) if restart else None, given_up,
        )  # fmt: skip
