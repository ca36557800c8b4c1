"""Whether the broker still has our session, over connections and over the lives of the program."""

from collections.abc import Callable
from dataclasses import dataclass

from bus import reasons
from bus.mark import Mark
from bus.requests import Requests


@dataclass(frozen=True, slots=True)
class Memory:
    """What a program remembers of its session, so that its next life notices whatever happened to it.

    Attributes:
        mark: what ``marked`` was last called with, in this life or an earlier one; 0 for never. See :mod:`bus.mark`.
        doubt: called with each connection, before anything comes on it: a loss may come to light until ``marked``.
        marked: called when it is known which session the broker has for us, and that it is subscribed; with its mark.
    """

    mark: int
    doubt: Callable[[], None]
    marked: Callable[[int], None]


class Presence:
    """Tells a kept session from a lost one; each loss once.

    Args:
        had_session: an earlier life of the program had a session.
        memory: of the program; without it the word of the broker is all there is.
        lost: told of each loss, in a sentence.
    """

    def __init__(
        self, requests: Requests, had_session: bool, memory: Memory | None, lost: Callable[[str], None]
    ) -> None:
        self._had_session = had_session
        self._memory = memory
        self._lost = lost
        self._told = False  # a loss, and nothing is marked since: the next connection may see the same one again
        self._mark = None if memory is None else Mark(requests, memory.mark, self._marked, self._replaced)

    def welcomed(self, session_present: bool) -> None:
        """The broker has welcomed us, and has been sent nothing yet."""
        if self._memory is not None:
            self._memory.doubt()
        if self._had_session and not session_present:
            self._lose(reasons.SESSION_LOST)
        self._had_session = True
        if self._mark is not None:
            self._mark.welcomed(session_present)

    def asked(self) -> None:
        """Our topics were asked for."""
        if self._mark is not None:
            self._mark.asked()

    def answered(self) -> None:
        """The broker has answered about topics of ours."""
        if self._mark is not None:
            self._mark.answered()

    def _replaced(self) -> None:
        self._lose(reasons.OTHER_SESSION)

    def _lose(self, reason: str) -> None:
        if not self._told:
            self._told = self._mark is not None
            self._lost(reason)

    def _marked(self, mark: int) -> None:
        self._told = False
        if self._memory is not None:
            self._memory.marked(mark)
