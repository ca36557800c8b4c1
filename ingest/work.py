"""What one commit of the spool makes durable."""

from dataclasses import dataclass, field

from fleet.batch import ReadingBatch
from ingest.handover import Holding
from ingest.rejects import Reject
from ingest.seen import Seen
from ingest.sparkplug import memory
from ingest.unclaimed import Unclaimed


@dataclass(slots=True)
class Work:
    """What one commit makes durable."""

    batch: ReadingBatch | None = None
    rejects: list[Reject] = field(default_factory=list)
    unclaimed: list[Unclaimed] = field(default_factory=list)
    seen: dict[int, Seen] = field(default_factory=dict)
    repaired: list[int] = field(default_factory=list)
    """Ids of rejected or unclaimed messages that the batch now holds."""
    apart: list[tuple[str, ReadingBatch]] = field(default_factory=list)
    """Readings of loud members, that shall not make the others' wait, with the member; several batches of one."""
    nodes: memory.Changes = memory.NOTHING
    numbers: str | None = None
    """State of the numbers of readings, the batches included, when it is time to write it."""
    handovers: dict[str, Holding] = field(default_factory=dict)
    """Members that came from or went to another collector at a moment within these messages."""

    def __bool__(self) -> bool:
        messages = self.batch or self.apart or self.rejects or self.unclaimed or self.repaired
        return bool(messages or self.seen or self.nodes.nodes or self.handovers)

    @property
    def parts(self) -> list[tuple[str, ReadingBatch]]:
        """The batches with their lane, in the order in which they are numbered: the others' first, in none ("")."""
        return [("", self.batch), *self.apart] if self.batch else self.apart
