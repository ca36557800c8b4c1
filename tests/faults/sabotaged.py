"""A collector broken on purpose: it acknowledges each burst before anything is on disk. The oracle must catch it."""

from collections.abc import Callable
from typing import Any

from accelerator.main import main
from bus.client import Burst, Session

_original = Session.__init__


def _acknowledging_early(
    self: Session, *arguments: Any, on_burst: Callable[[Burst], None] | None = None, **options: Any
) -> None:
    def early(burst: Burst) -> None:
        self.acknowledge(burst)
        if on_burst is not None:
            on_burst(burst)

    _original(self, *arguments, on_burst=early, **options)


if __name__ == "__main__":
    Session.__init__ = _acknowledging_early  # type: ignore[method-assign]  # the sabotage
    main()
