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
        "UN_HOLDING": _S, "UN_SUSPENDING": _S,  # as OPC 30060 spelled them in its first version
    },  # CLEARED and RUNNING of OPC 30050 hold other states inside: they say too little to be one of the seven
    # MTConnect EXECUTION values, and AVAILABILITY's UNAVAILABLE.
    "mtconnect": {
        "ACTIVE": _P, "READY": _I, "INTERRUPTED": _I, "FEED_HOLD": _I, "STOPPED": _I, "OPTIONAL_STOP": _I,
        "PROGRAM_STOPPED": _I, "PROGRAM_COMPLETED": _I, "PROGRAM_OPTIONAL_STOP": _I, "WAIT": _I, "UNAVAILABLE": _U,
    },
    # SEMI E10 time blocks, by code and in full; its standby is the canonical STANDBY.
    "semi-e10": {
        "PRD": _P, "SBY": _I, "ENG": _S, "SDT": _M, "UDT": _F, "NST": _O,
        "PRODUCTIVE": _P, "PRODUCTION": _P, "ENGINEERING": _S, "SCHEDULED_DOWNTIME": _M, "UNSCHEDULED_DOWNTIME": _F,
        "NON_SCHEDULED": _O, "NONSCHEDULED": _O, "NON_SCHEDULED_TIME": _O, "NONSCHEDULED_TIME": _O,
    },
    # OPC UA Machinery (40001-1) MachineryItemState, of a publisher that does not tell the operation mode.
    "opcua-machinery": {"EXECUTING": _P, "NOTEXECUTING": _I, "OUTOFSERVICE": _M, "NOTAVAILABLE": _U},
}  # fmt: skip

MACHINERY: Final[dict[str, dict[str, MachineState]]] = {
    "EXECUTING": {"NONE": _P, "PROCESSING": _P, "SETUP": _S, "MAINTENANCE": _M},
    "NOTEXECUTING": {"NONE": _I, "PROCESSING": _I, "SETUP": _S, "MAINTENANCE": _M},
    "OUTOFSERVICE": {"NONE": _M, "PROCESSING": _F, "SETUP": _F, "MAINTENANCE": _M},
    "NOTAVAILABLE": {"NONE": _U, "PROCESSING": _U, "SETUP": _U, "MAINTENANCE": _M},
}
"""OPC UA Machinery (40001-1): MachineryItemState and MachineryOperationMode together, as it relates them to SEMI E10.

OutOfService is unscheduled downtime while processing, scheduled downtime in maintenance; with mode None either is
possible, and either keeps the machine from being lent.
"""


def state_code(name: str) -> int:
    """Code of a canonical state name, in any case.

    Raises:
        KeyError: the name is none of the seven.
    """
    return STATE_CODE[name.upper()]
