"""Something that brings messages from a broker to a store, and can be measured: our collector, or another program."""

from collections import Counter
from typing import Protocol

from accelerator.bench.processes import Program
from fleet.batch import MachineKey


class Bridge(Protocol):
    """A running process between broker and store."""

    @property
    def program(self) -> Program:
        """What is killed, started again and stopped; stopped, it has written what it holds."""

    @property
    def pid(self) -> int: ...

    async def stored(self, count: int) -> None:
        """Return when the first ``count`` messages of the load are stored, as far as it says.

        Raises:
            Found: no more came for a long time.
        """

    def buckets(self) -> list[str]:
        """Where in an InfluxDB it stores."""

    def kept(self) -> Counter[MachineKey]:
        """How many refused messages of each machine it keeps with a reason."""
