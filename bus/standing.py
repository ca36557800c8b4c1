"""How a session stands."""

import asyncio
import time
from dataclasses import dataclass, replace

from bus.publisher import SessionClosed


@dataclass(frozen=True, slots=True)
class SessionState:
    """How the session stands.

    Attributes:
        connected: connected and subscribed.
        session_present: whether the broker had kept our session at the last connection.
        reason: one sentence why there is no connection or a subscription was refused; "" when all is well.
        since: epoch seconds of the last change of ``connected``.
        session_losses: how often the broker came back without our session.
    """

    connected: bool
    session_present: bool
    reason: str
    since: float
    session_losses: int


class Standing:
    """The state of a session and those who wait for it."""

    def __init__(self) -> None:
        self.state = SessionState(False, False, "not connected yet", time.time(), 0)
        self._ended = False
        self._changed = asyncio.Event()

    def change(self, *, connected: bool, session_present: bool, reason: str) -> bool:
        """Set the state; whether that changed anything."""
        old = self.state
        since = old.since if old.connected == connected else time.time()
        self.state = replace(old, connected=connected, session_present=session_present, reason=reason, since=since)
        self._changed.set()
        return self.state != old

    def lost_session(self) -> None:
        """Count a session loss."""
        self.state = replace(self.state, session_losses=self.state.session_losses + 1)

    def end(self) -> None:
        """The session is over: nobody need wait any longer."""
        self._ended = True
        self._changed.set()

    async def connected(self) -> None:
        """Return once connected and subscribed.

        Raises:
            SessionClosed: the session has ended.
        """
        while not self.state.connected:
            if self._ended:
                raise SessionClosed(f"the session has ended: {self.state.reason}")
            self._changed.clear()
            await self._changed.wait()
