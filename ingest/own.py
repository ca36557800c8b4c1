"""Profiles of a fleet's own, from the folder ``profiles/`` beside its ``network.toml``: one TOML file a format.

They are read by :mod:`fleet.registry` as text and are what :mod:`ingest.decoders.mapping` describes. One with the name
of a profile that comes with the program goes before it; a format that needs code keeps its name.
"""

from collections.abc import Mapping

from fleet.batch import Reading
from ingest.decoders import DECODERS, Context, Decode, DecodeError
from ingest.decoders.profile import Profile, ProfileError, load


def own_decoders(texts: Mapping[str, str]) -> dict[str, Decode]:
    """The decoder of each profile by name; that of a wrong one refuses every message, saying what is wrong."""
    return {name: _decoder(name, text) for name, text in texts.items() if name not in DECODERS}


def _decoder(name: str, text: str) -> Decode:
    try:
        return Profile(name, load(f"{name}.toml", text)).decode
    except ProfileError as error:
        return refusing(name, str(error))


def refusing(name: str, rule: str) -> Decode:
    """A decoder for a format that is none."""

    def refuse(topic: str, payload: bytes, context: Context) -> list[Reading]:
        del topic, payload, context
        raise DecodeError("format", "format", name, rule)

    return refuse
