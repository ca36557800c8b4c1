"""What a topic below ``spBv1.0/`` says."""

from typing import Final, NamedTuple

from ingest.decoders.base import DecodeError
from ingest.sparkplug.memory import NodeKey

TYPES: Final = {"N": ("NBIRTH", "NDATA", "NDEATH"), "D": ("DBIRTH", "DDATA", "DDEATH")}
_TOPIC: Final = "spBv1.0/<member>/<type>/<node>, with /<device> for DBIRTH, DDATA and DDEATH alone"


class Topic(NamedTuple):
    """Which node, which type of message, which device ("": the node itself)."""

    key: NodeKey
    kind: str
    device: str


def parse(topic: str) -> Topic:
    """Read a topic.

    Raises:
        DecodeError: ``topic``: it is none of Sparkplug B.
    """
    levels = topic.split("/")
    kind = levels[2] if len(levels) > 2 else ""
    device = len(levels) == 5
    known = (*TYPES["D"], "DCMD") if device else (*TYPES["N"], "NCMD")
    if len(levels) not in (4, 5) or kind not in known or not all(levels):
        raise DecodeError("topic", "", topic, _TOPIC)
    return Topic(NodeKey(levels[1], levels[3]), kind, levels[4] if device else "")
