"""``resilian demo``: a simulated network that is visibly alive, in one process, in a folder of its own."""

import asyncio
import dataclasses
import shutil
from pathlib import Path

from accelerator import lifetime
from accelerator.opening import make_folder
from accelerator.places import DEMO
from accelerator.problems import Missing
from accelerator.programs import Parts, assembled, run_together
from accelerator.settings import Settings
from fleet.clock import now

MARK = ".resilian-demo"


async def run_demo(
    settings: Settings, *, speed: float, seed: int, weeks: int, for_seconds: float | None, own_folder: bool
) -> None:
    """Run the demo until a signal or ``for_seconds``.

    Raises:
        Missing: the folder holds something that is not a demo's, or a part cannot be had.
    """
    from simulators import network

    folder = settings.data_dir / DEMO if own_folder else settings.data_dir
    chosen = dataclasses.replace(settings, data_dir=folder, fleet=folder / "fleet", broker=None, store=None)
    _start_anew(chosen)
    network.write(chosen.fleet, seed=seed, now=now())
    stop = asyncio.Event()
    lifetime.stop_on_signals(stop)
    async with assembled(chosen) as parts:
        machines = _machines_part(parts, speed=speed, seed=seed, weeks=weeks)
        await run_together(parts, {"machines": machines}, stop, for_seconds=for_seconds, demo=True)


def _machines_part(parts: Parts, *, speed: float, seed: int, weeks: int) -> lifetime.Part:
    from simulators.service import SimulateConfig, run

    config = SimulateConfig(
        broker=parts.broker, fleet_dir=parts.settings.fleet, seed=seed, speed=speed, history_weeks=weeks
    )
    return lambda stop: run(config, stop=stop)


def _start_anew(settings: Settings) -> None:
    """Empty the demo's folder, and only a demo's: each run has a history that ends now."""
    from accelerator import owner

    folder = settings.data_dir
    running = owner.find(settings.run_file)
    if running is not None:
        raise Missing(
            f"a demo is already running: {running.gateway} (pid {running.pid}); stop it, or give --data another folder"
        )
    if folder.exists() and any(folder.iterdir()):
        if not (folder / MARK).exists():
            raise Missing(f"{folder} holds files that are not a demo's; give --data an empty folder")
        for entry in folder.iterdir():
            _remove(entry)
    make_folder(folder)
    (folder / MARK).touch()


def _remove(entry: Path) -> None:
    if entry.is_dir() and not entry.is_symlink():
        shutil.rmtree(entry)
    else:
        entry.unlink()
