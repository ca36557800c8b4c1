"""The seven states of a machine, and the vocabularies that are mapped to them by name.

States are exclusive and exhaustive. In columns a state is its index in :data:`STATES`; :data:`NO_STATE` means that
a reading carries none, which is not the same as UNKNOWN.
"""

from enum import StrEnum
from typing import Final


class MachineState(StrEnum):
    """What a machine does. UNKNOWN is a state: silence is never idleness."""

    PRODUCING = "PRODUCING"
    SETUP = "SETUP"
    STANDBY = "STANDBY"
    OFF = "OFF"
    FAULT = "FAULT"
    MAINTENANCE = "MAINTENANCE"
    UNKNOWN = "UNKNOWN"


STATES: Final[tuple[MachineState, ...]] = tuple(MachineState)
STATE_CODE: Final[dict[str, int]] = {state.value: code for code, state in enumerate(STATES)}
NO_STATE: Final = 255

PRODUCING, SETUP, STANDBY, OFF, FAULT, MAINTENANCE, UNKNOWN = range(7)
BUSY: Final = frozenset({PRODUCING, SETUP, FAULT, MAINTENANCE})
"""Codes during which a machine cannot be lent; STANDBY and OFF are free, UNKNOWN is unobserved."""
USED: Final = frozenset({PRODUCING, SETUP})
"""Codes that count as use in the headline utilisation."""

_P, _S, _I, _O, _F, _M, _U = MachineState

VOCABULARIES: Final[dict[str, dict[str, MachineState]]] = {
    # PackML state names (ISA-TR88.00.02): by name, because PackTags v3 and OPC 30060 number them differently.
    "packml": {
        "EXECUTE": _P, "COMPLETING": _P, "STARTING": _S, "RESETTING": _S, "UNHOLDING": _S, "UNSUSPENDING": _S,
        "IDLE": _I, "COMPLETE": _I, "COMPLETED": _I, "HELD": _I, "HOLDING": _I, "SUSPENDED": _I, "SUSPENDING": _I,
        "STOPPED": _I, "STOPPING": _I, "ABORTED": _F, "ABORTING": _F, "CLEARING": _F,
    },
    # MTConnect EXECUTION values, and AVAILABILITY's UNAVAILABLE.
    "mtconnect": {
        "ACTIVE": _P, "READY": _I, "INTERRUPTED": _I, "FEED_HOLD": _I, "STOPPED": _I, "OPTIONAL_STOP": _I,
        "PROGRAM_STOPPED": _I, "PROGRAM_COMPLETED": _I, "PROGRAM_OPTIONAL_STOP": _I, "WAIT": _I, "UNAVAILABLE": _U,
    },
    # SEMI E10 time blocks.
    "semi-e10": {"PRD": _P, "SBY": _I, "ENG": _S, "SDT": _M, "UDT": _F, "NST": _O},
    # OPC UA Machinery (40001-1) MachineryItemState.
    "opcua-machinery": {"EXECUTING": _P, "NOTEXECUTING": _I, "OUTOFSERVICE": _M, "NOTAVAILABLE": _U},
}  # fmt: skip


def state_code(name: str) -> int:
    """Code of a canonical state name, in any case.

    Raises:
        KeyError: the name is none of the seven.
    """
    return STATE_CODE[name.upper()]
