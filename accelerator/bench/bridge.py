"""Something that brings messages from a broker to a store, and can be measured: our collector, or another program."""

from typing import Protocol


class Bridge(Protocol):
    """A running process between broker and store."""

    @property
    def pid(self) -> int:
        """Its process."""

    async def stored(self, count: int) -> None:
        """Return when the first ``count`` messages of the load are stored, as far as it says.

        Raises:
            Found: no more came for a long time.
        """
