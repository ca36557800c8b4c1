"""Where a command works: the folders that were given, a program that runs on them, or the demo that runs here."""

from pathlib import Path
from typing import Any, Final

from accelerator import logs, owner, settings
from accelerator.settings import Settings

DEMO: Final = "demo"
"""The demo's folder inside the data folder, unless it was given another."""


def chosen(fleet: Path | None, data: Path | None, **given: Any) -> Settings:
    """The settings of a command; where there is nothing else, those of the demo that runs here, which is said.

    Raises:
        Usage, Missing: as ``settings.load``.
    """
    found = settings.load(fleet=fleet, data_dir=data, **given)
    demo = running_demo(found)
    if demo is None or fleet is not None or data is not None or not _nothing_here(found):
        return found
    logs.note(f"resilian: note: this is the running demo; name another place with --data or --fleet: --data {demo}")
    return settings.load(data_dir=demo, **given)


def running_demo(found: Settings) -> Path | None:
    """The folder of a demo that runs inside the data folder, or None."""
    folder = found.data_dir / DEMO
    return folder if owner.find(folder / owner.RUN_FILE) is not None else None


def folder_of(fleet: Path | None, data: Path | None, *, begins: bool = False) -> Path:
    """The registry's folder: the one given, the running program's, or that of the settings.

    Args:
        begins: a network may begin there, which then never is the demo's.
    """
    found = settings.load(fleet=fleet, data_dir=data) if begins else chosen(fleet, data)
    running = owner.find(found.run_file)
    if fleet is None and running is not None and found.origin["fleet"] == "default":
        return Path(running.fleet)
    return found.fleet


def broker_beside(fleet: Path) -> Path:
    """The folder of the broker beside the registry's, as ``deploy/secrets`` makes it: ``secrets`` holds its logins,
    ``requests`` those that are asked for. Either may be out of a program's reach.
    """
    return fleet.absolute().parent / "mosquitto"


def in_words(fleet: Path | None, data: Path | None) -> str:
    """The options that name these places, for a command that a person shall type after this one."""
    return "".join(f" {option} {path}" for option, path in (("--fleet", fleet), ("--data", data)) if path is not None)


def _nothing_here(found: Settings) -> bool:
    """Whether these settings name no network: neither files, nor a program that runs, nor a broker or a store."""
    named = found.broker or found.store or found.origin["fleet"] != "default"
    return not named and owner.find(found.run_file) is None and not (found.fleet / "network.toml").exists()
