"""State names that may stand in a payload: the seven canonical ones and the vocabularies, where they agree."""

from typing import Final

from fleet.states import MACHINERY, STATE_CODE, VOCABULARIES, MachineState
from ingest.decoders.base import DecodeError


def _unambiguous() -> dict[str, int]:
    meanings: dict[str, set[MachineState]] = {}
    for vocabulary in VOCABULARIES.values():
        for name, state in vocabulary.items():
            meanings.setdefault(name, set()).add(state)
    agreed = {name: STATE_CODE[min(states).value] for name, states in meanings.items() if len(states) == 1}
    return {**agreed, **STATE_CODE}


STATE_NAMES: Final = _unambiguous()
"""Name in capitals -> code; a canonical name goes before a vocabulary's."""
_RULE: Final = f"one of {', '.join(STATE_CODE)}, or an unambiguous name of {', '.join(VOCABULARIES)}"

_MODES: Final = tuple(MACHINERY["EXECUTING"])


def state_code(value: object, field: str) -> int:
    """Code of a state's name in any case, spaces and hyphens standing for underscores.

    Raises:
        DecodeError: the name is unknown.
    """
    if isinstance(value, str):
        name = value.strip().upper()
        for spelling in (name, name.replace("-", "_").replace(" ", "_")):
            if spelling in STATE_NAMES:
                return STATE_NAMES[spelling]
    raise DecodeError("state", field, value, _RULE)


def state_in_mode(value: object, field: str, mode: object, mode_field: str) -> int:
    """Code of an item state of OPC UA Machinery in its operation mode; other names mean the same in every mode.

    Raises:
        DecodeError: the state or the mode is unknown, by its field.
    """
    item = value.strip().upper() if isinstance(value, str) else ""
    if item not in MACHINERY:
        return state_code(value, field)
    name = mode.strip().upper() if isinstance(mode, str) else ""
    if name not in _MODES:
        raise DecodeError("state", mode_field, mode, f"one of {', '.join(_MODES)}")
    return STATE_CODE[MACHINERY[item][name]]
