"""What a program says of itself on ``net/v1/health/<program>``: on each change, and at least every 15 seconds."""

import asyncio
import json
import os
import time
from collections.abc import Callable, Mapping
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Final

from bus.client import Session
from bus.outbox import OutboxFull
from bus.packets import Will
from bus.publisher import SessionClosed
from fleet.topics import HEALTH

EVERY_S: Final = 15.0
_UNCHANGED: Final = frozenset({"at"})
"""Fields that change with every message and so are no change of their own."""


def health_will(program: str) -> Will:
    """The will of a program's session: retained, ``alive`` false; published, too, when a session ends in order."""
    return Will(HEALTH.format(program=program), json.dumps({"program": program, "alive": False}).encode(), retain=True)


def health_message(
    program: str, session: Session, *, registry_digest: str = "", more: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """The body of the message: program, process, state of the session, and what the program adds (``store`` ...)."""
    state = session.state
    return {
        "program": program,
        "alive": True,
        "at": round(time.time() * 1000),
        "version": own_version(),
        "pid": os.getpid(),
        "registry_digest": registry_digest,
        "broker": {
            "connected": state.connected,
            "since": round(state.since * 1000),
            "session_losses": state.session_losses,
            "reason": state.reason,
        },
        **(more or {}),
    }


class HealthReport:
    """Publishes the health of a program through its session, retained.

    Args:
        session: through which it is published.
        compose: gives the body, usually by :func:`health_message`; called on each :meth:`changed` and each interval.
        every_s: the longest silence.
    """

    def __init__(
        self, program: str, session: Session, compose: Callable[[], Mapping[str, Any]], *, every_s: float = EVERY_S
    ) -> None:
        self._topic = HEALTH.format(program=program)
        self._session = session
        self._compose = compose
        self._every_s = every_s
        self._said: dict[str, Any] = {}
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Publish now, and from now on at the latest every ``every_s`` seconds."""
        self._publish()

    def changed(self) -> None:
        """Something may have changed: publish now if anything but the time did. Cheap enough for each state change."""
        if self._timer is not None and self._differs(self._compose()):
            self._publish()

    def stop(self) -> None:
        """Publish no more; the end of the session publishes the will."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _differs(self, body: Mapping[str, Any]) -> bool:
        return any(self._said.get(key) != value for key, value in body.items() if key not in _UNCHANGED)

    def _publish(self) -> None:
        self.stop()
        self._timer = asyncio.get_running_loop().call_later(self._every_s, self._publish)
        if not self._session.connected and self._session.backlog:
            return  # one waits already for the connection; a stale health is worth no place in the queue
        body = dict(self._compose())
        try:
            self._session.publish(self._topic, json.dumps(body, separators=(",", ":")).encode(), retain=True)
        except OutboxFull:
            return  # said again at the next interval
        except SessionClosed:
            self.stop()
            return
        self._said = body


def own_version() -> str:
    """The version of the installed program; ``unknown`` when it runs without being installed."""
    try:
        return version("resilian")
    except PackageNotFoundError:
        return "unknown"
