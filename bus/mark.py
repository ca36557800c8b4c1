"""Which session the broker has for us: one of its subscriptions is a mark of ours, which no other session has.

"Session present" in a CONNACK says that there is a session, not which. A program that was killed between CONNECT and
its record of a lost session finds the new one present; so does one whose CONNACK was lost with the line, and one under
whose client id another client has begun a session of its own. So a new session gets a mark, a topic filter with a
random number to which nobody publishes, and the program records the number when it records the loss. At each later
connection the broker is asked to unsubscribe it: by its answer (MQTT 5.0, section 3.11.3) the mark was there, or it was
not.

A mark is several filters, of which each question takes one away until it is answered: so a connection that ends between
question and answer does not make the session a stranger.
"""

import secrets
from collections.abc import Callable, Sequence
from typing import Final

from bus.reasons import REFUSED
from bus.requests import Requests
from fleet.topics import MARK

FILTERS: Final = 8
"""Of one mark: so many connections in a row would have to end within their question for a false alarm."""
_NONE_EXISTED: Final = 0x11


class Mark:
    """The mark of one session.

    Args:
        number: of the session that the program knows, as ``marked`` was told; 0: of none.
        marked: told that the session which the broker has for us bears this mark, and is subscribed to what we asked
            for; 0 when the broker refuses to make one.
        lost: the broker has a session for us, and it is not the one that we know.
    """

    def __init__(
        self, requests: Requests, number: int, marked: Callable[[int], None], lost: Callable[[], None]
    ) -> None:
        self._number = number
        self._requests = requests
        self._marked = marked
        self._lost = lost
        self._place = 0
        self._asking = self._silent = False

    def welcomed(self, session_present: bool) -> None:
        """The broker has welcomed us, and has been sent nothing yet: ask it which session it has."""
        self._asking = self._silent = session_present and self._number != 0
        if self._asking:
            self._ask(FILTERS)

    def asked(self) -> None:
        """All that we want was asked for: a session that is to bear a new mark gets it now."""
        if not self._asking:
            self._make(_new())

    def answered(self) -> None:
        """The broker has answered what was asked after the question; one that still owes this answer never gives it."""
        if self._silent:
            self._silent = False
            self._marked(self._number)

    def _ask(self, left: int) -> None:
        pattern = _filters(self._number)[self._place % FILTERS]
        self._place += 1  # also of the next connection, if this one ends before the answer
        self._requests.unsubscribe([pattern], lambda codes: self._heard(codes, left - 1))

    def _heard(self, codes: Sequence[int], left: int) -> None:
        self._silent = False
        if _NONE_EXISTED not in codes:
            self._make(self._number)
        elif left:
            self._ask(left)
        else:
            self._lost()
            self._make(_new())

    def _make(self, number: int) -> None:
        self._requests.subscribe(_filters(number), lambda codes: self._made(number, codes))

    def _made(self, number: int, codes: Sequence[int]) -> None:
        self._number = 0 if any(code >= REFUSED for code in codes) else number
        self._marked(self._number)


def _new() -> int:
    return secrets.randbits(62) | 2  # above 1, which in a spool of before marks says that there was a session


def _filters(number: int) -> list[str]:
    return [MARK.format(mark=f"{number:016x}", place=place) for place in range(FILTERS)]
