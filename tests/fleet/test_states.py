"""Every name of every vocabulary, written down from the standards again, and what a message makes of it."""

import pytest

from fleet.states import MACHINERY, STATE_CODE, STATES, VOCABULARIES, MachineState
from ingest.decoders import DecodeError
from ingest.decoders.states import state_code, state_in_mode

PACKML = {
    # PackTags v3 numbers 1 to 17; OPC 30060 numbers 0 to 16: the names are the same
    "Clearing": "FAULT", "Stopped": "STANDBY", "Starting": "SETUP", "Idle": "STANDBY", "Suspended": "STANDBY",
    "Execute": "PRODUCING", "Stopping": "STANDBY", "Aborting": "FAULT", "Aborted": "FAULT", "Holding": "STANDBY",
    "Held": "STANDBY", "Unholding": "SETUP", "Suspending": "STANDBY", "Unsuspending": "SETUP", "Resetting": "SETUP",
    "Completing": "PRODUCING", "Complete": "STANDBY", "Completed": "STANDBY",
    "Un-holding": "SETUP", "Un-suspending": "SETUP",
}  # fmt: skip
MTCONNECT = {
    "ACTIVE": "PRODUCING", "READY": "STANDBY", "INTERRUPTED": "STANDBY", "FEED_HOLD": "STANDBY", "STOPPED": "STANDBY",
    "OPTIONAL_STOP": "STANDBY", "PROGRAM_STOPPED": "STANDBY", "PROGRAM_COMPLETED": "STANDBY",
    "PROGRAM_OPTIONAL_STOP": "STANDBY", "WAIT": "STANDBY", "UNAVAILABLE": "UNKNOWN",
}  # fmt: skip
SEMI_E10 = {
    "PRD": "PRODUCING", "SBY": "STANDBY", "ENG": "SETUP", "SDT": "MAINTENANCE", "UDT": "FAULT", "NST": "OFF",
    "Productive": "PRODUCING", "Production": "PRODUCING", "Engineering": "SETUP", "Scheduled downtime": "MAINTENANCE",
    "Unscheduled downtime": "FAULT", "Non-scheduled": "OFF", "Nonscheduled": "OFF", "Non-scheduled time": "OFF",
    "Nonscheduled time": "OFF",
}  # fmt: skip
ITEM_STATE = {
    "Executing": "PRODUCING", "NotExecuting": "STANDBY", "OutOfService": "MAINTENANCE", "NotAvailable": "UNKNOWN",
}  # fmt: skip
STANDARDS = {"packml": PACKML, "mtconnect": MTCONNECT, "semi-e10": SEMI_E10, "opcua-machinery": ITEM_STATE}
IN_MODE = {
    ("Executing", "None"): "PRODUCING", ("Executing", "Processing"): "PRODUCING",
    ("Executing", "Setup"): "SETUP", ("Executing", "Maintenance"): "MAINTENANCE",
    ("NotExecuting", "None"): "STANDBY", ("NotExecuting", "Processing"): "STANDBY",
    ("NotExecuting", "Setup"): "SETUP", ("NotExecuting", "Maintenance"): "MAINTENANCE",
    ("OutOfService", "None"): "MAINTENANCE", ("OutOfService", "Processing"): "FAULT",
    ("OutOfService", "Setup"): "FAULT", ("OutOfService", "Maintenance"): "MAINTENANCE",
    ("NotAvailable", "None"): "UNKNOWN", ("NotAvailable", "Processing"): "UNKNOWN",
    ("NotAvailable", "Setup"): "UNKNOWN", ("NotAvailable", "Maintenance"): "MAINTENANCE",
}  # fmt: skip


def plain(name: str) -> str:
    return name.upper().replace("-", "_").replace(" ", "_")


@pytest.mark.parametrize(
    ("name", "state"), [(name, state) for names in STANDARDS.values() for name, state in names.items()]
)
def test_a_name_of_a_standard_is_its_state(name: str, state: str) -> None:
    for spelling in (name, name.upper(), name.lower(), f" {name} "):
        assert STATES[state_code(spelling, "state")] == state


@pytest.mark.parametrize("standard", STANDARDS)
def test_no_name_is_without_a_case(standard: str) -> None:
    assert {plain(name): state for name, state in STANDARDS[standard].items()} == VOCABULARIES[standard]


@pytest.mark.parametrize(("item", "mode"), list(IN_MODE))
def test_an_item_state_in_its_operation_mode(item: str, mode: str) -> None:
    assert STATES[state_in_mode(item, "ItemState", mode, "OperationMode")] == IN_MODE[item, mode]


def test_every_pair_has_a_case() -> None:
    assert len(IN_MODE) == sum(len(modes) for modes in MACHINERY.values())


def test_a_name_means_one_thing() -> None:
    """Whoever reads a name does not know of which standard it is: two that disagree would both be refused."""
    meanings: dict[str, set[MachineState]] = {}
    for names in VOCABULARIES.values():
        for name, state in names.items():
            meanings.setdefault(name, set()).add(state)
    assert all(len(states) == 1 for states in meanings.values())
    assert all(meanings[name] == {state} for name, state in zip(STATE_CODE, STATES, strict=True) if name in meanings)


@pytest.mark.parametrize(
    "name", ["Running", "Cleared", "On", "Busy", "6", "None", "Processing", "NDEATH", "EXECUTE_", "", 4, True, None]
)
def test_what_no_table_has_is_refused_by_name(name: object) -> None:
    """PackML's Running and Cleared hold other states; numbers differ between two editions of it."""
    with pytest.raises(DecodeError) as refused:
        state_code(name, "MachineState")
    fault = refused.value.faults[0]
    assert (fault.reason, fault.field) == ("state", "MachineState")
    assert fault.value.strip('"').casefold() == ("null" if name is None else str(name).casefold())


def test_an_unknown_mode_is_refused_by_name() -> None:
    with pytest.raises(DecodeError) as refused:
        state_in_mode("Executing", "ItemState", "Turbo", "OperationMode")
    assert refused.value.faults[0].field == "OperationMode"
    assert STATES[state_in_mode("Aborted", "State", "Turbo", "OperationMode")] == "FAULT"  # no state of Machinery
