"""How the bytes of a message become objects that a mapping reads: one file each, and one line in :data:`BODIES`.

A body gives flat objects: a name a quantity, and under ``@time`` the device's time when the format carries one.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from ingest.decoders.bodies import mtconnect, opcua, plain, shdr, tags
from ingest.decoders.bodies.base import Body

BODIES: Final[Mapping[str, Body]] = MappingProxyType(
    {
        "json": Body(plain.json_documents),
        "text": Body(plain.text_documents),
        "shdr": Body(shdr.documents, takes_channel=True),
        "mtconnect": Body(mtconnect.documents, takes_channel=True),
        "opcua": Body(opcua.documents, takes_channel=True),
        "tags": Body(tags.documents, takes_channel=True),
    }
)

__all__ = ["BODIES", "Body"]
