"""Wire formats by name: the formats that need code stand in :data:`DECODERS`, the mappings are found as profiles."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from ingest.decoders import canonical, sparkplug
from ingest.decoders.base import Context, Decode, DecodeError, Fault
from ingest.decoders.profile import profiles

DECODERS: Final[Mapping[str, Decode]] = MappingProxyType({"canonical": canonical.decode, "sparkplug": sparkplug.decode})
"""One line a format that needs code."""


def decoder(name: str) -> Decode:
    """The decoder of a format.

    Raises:
        KeyError: neither a decoder nor a profile has this name.
    """
    return DECODERS[name] if name in DECODERS else profiles()[name].decode


def formats() -> list[str]:
    """Names of all formats, sorted."""
    return sorted({*DECODERS, *profiles()})


__all__ = ["DECODERS", "Context", "Decode", "DecodeError", "Fault", "decoder", "formats"]
