"""A collector broken on purpose: it acknowledges each burst well before anything is on disk. The oracle must catch it.

The commit that follows is slowed as a busy disk would slow it, so that a kill falls between the two.
"""

import time
from collections.abc import Callable
from typing import Any

from accelerator.main import main
from bus.client import Burst, Session
from ingest.spool import Spool

SLOW_DISK_S = 0.05

_original = Session.__init__


def _acknowledging_early(
    self: Session, *arguments: Any, on_burst: Callable[[Burst], None] | None = None, **options: Any
) -> None:
    def early(burst: Burst) -> None:
        self.acknowledge(burst)
        if on_burst is not None:
            on_burst(burst)

    _original(self, *arguments, on_burst=early, **options)


_commit = Spool.commit


def _committing_slowly(self: Spool, *arguments: Any, **options: Any) -> int | None:
    time.sleep(SLOW_DISK_S)
    return _commit(self, *arguments, **options)


if __name__ == "__main__":
    Spool.commit = _committing_slowly  # type: ignore[method-assign]  # the sabotage
    Session.__init__ = _acknowledging_early  # type: ignore[method-assign]  # the sabotage
    main()
